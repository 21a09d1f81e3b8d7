/** What a click on the status bar's item offers. */

import * as vscode from "vscode";
import type { State } from "./status";

type Entry = vscode.QuickPickItem & { readonly command?: string };

const LOG: Entry = { label: "$(output) Show the log", command: "forge.showLog" };
const RESTART: Entry = { label: "$(debug-restart) Restart the language server", command: "forge.restart" };
const LINE: Entry = { label: "", kind: vscode.QuickPickItemKind.Separator };

export interface Seen {
  readonly state: State;
  readonly isWriting: boolean;
  readonly hasKey: boolean;
  readonly errors: number;
}

export async function showMenu(seen: Seen): Promise<void> {
  const picked = await vscode.window.showQuickPick(entries(seen), { title: "Forge" });
  if (picked?.command !== undefined) await vscode.commands.executeCommand(picked.command);
}

function entries({ state, isWriting, hasKey, errors }: Seen): Entry[] {
  switch (state) {
    case "untrusted":
      return [{ label: "$(shield) Trust this folder…", command: "workbench.trust.manage" }, LOG];
    case "missing":
      return [{ label: "$(cloud-download) Get forge-lsp…", command: "forge.install" }, RESTART, LOG];
    case "starting":
    case "stopped":
      return [RESTART, LOG];
    case "running":
      break;
  }
  const key: Entry = { label: "$(key) Set the API key…", command: "forge.setKey" };
  return [
    ...(isWriting ? [{ label: "$(stop) Cancel the run", command: "forge.cancel" }] : []),
    ...(hasKey ? [] : [{ ...key, description: "until then the demo model gives prepared answers" }]),
    ...(errors > 0 ? [{ label: "$(wrench) Fix the preview's problems", command: "forge.fix" }] : []),
    ...(isWriting || !hasKey || errors > 0 ? [LINE] : []),
    { label: "$(sparkle) Generate…", command: "forge.generate" },
    { label: "$(edit) Edit…", command: "forge.edit" },
    { label: "$(rocket) Build a whole app…", command: "forge.build" },
    LINE,
    { label: "$(diff-multiple) Review the change", command: "forge.review.diff" },
    { label: "$(check-all) Accept…", command: "forge.review.accept" },
    { label: "$(open-preview) Show the preview", command: "forge.sandbox.open" },
    { label: "$(discard) Undo the last accept", command: "forge.undo" },
    { label: "$(history) Show what was changed…", command: "forge.history" },
    LINE,
    { label: "$(info) What stands ready", command: "forge.status" },
    ...(hasKey ? [key] : []),
    LOG,
    RESTART,
  ];
}
