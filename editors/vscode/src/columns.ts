/** Where something is shown that the person may not be waiting for. */

import * as vscode from "vscode";

/** Never over what the person is typing in. */
export function freeColumn(): vscode.ViewColumn {
  const isTyping = vscode.window.activeTextEditor?.document.uri.scheme === "file";
  return isTyping ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
}
