/** Saves what an accept or an undo changed: what a server edits, VS Code leaves unsaved, and opens for that. */

import * as vscode from "vscode";
import type { WorkspaceEdit } from "vscode-languageclient";

export class Saving {
  /** Documents that the server has edited, and in which nothing of the person's was unsaved; whether they were open. */
  private readonly edited = new Map<string, boolean>();
  private saves: Promise<unknown>[] = [];
  /** Documents that were opened for no other reason than that they were unsaved. */
  private readonly strays = new Set<string>();

  constructor(private readonly log: vscode.LogOutputChannel) {}

  /** The server is about to make this edit. */
  note({ changes = {}, documentChanges = [] }: WorkspaceEdit): void {
    const named = documentChanges.flatMap((change) => ("textDocument" in change ? [change.textDocument.uri] : []));
    for (const text of [...Object.keys(changes), ...named]) {
      const uri = vscode.Uri.parse(text).toString();
      if (document(uri)?.isDirty !== true) this.edited.set(uri, tabsOf(uri).length > 0);
    }
  }

  /** A file of some folder is now as a run wants it. */
  applied(path: string): void {
    const isWanted = vscode.workspace.getConfiguration("forge").get<boolean>("saveAfterAccept", true);
    for (const [uri, wasOpen] of this.edited) {
      if (!vscode.Uri.parse(uri).path.endsWith(`/${path}`)) continue;
      this.edited.delete(uri);
      const changed = document(uri);
      if (!isWanted || changed?.isDirty !== true) continue;
      this.saves.push(Promise.resolve(changed.save()));
      if (!wasOpen) this.strays.add(uri);
    }
  }

  /** Until all of them are on the disk, and those that weren't open are closed again. */
  async done(): Promise<void> {
    for (const each of await Promise.allSettled(this.saves.splice(0))) {
      if (each.status === "rejected") this.log.error(String(each.reason));
    }
    const strays = [...this.strays].flatMap(tabsOf).filter((tab) => !tab.isDirty);
    this.strays.clear();
    await vscode.window.tabGroups.close(strays, true);
  }
}

function document(uri: string): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri);
}

function tabsOf(uri: string): vscode.Tab[] {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.toString() === uri);
}
