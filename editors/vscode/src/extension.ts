/** Forge in VS Code. */

import * as vscode from "vscode";
import { Forge } from "./forge";
import { unattended } from "./refusal";

let forge: Forge | undefined;

/** Nothing is waited for: the server, and the library that talks with it, come later. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Forge", { log: true });
  const started = new Forge(context, log);
  forge = started;
  context.subscriptions.push(log, started);
  unattended(log, () => started.restart());
}

export async function deactivate(): Promise<void> {
  await forge?.server.stop();
}
