/** What the extension does itself of what the client's library would do. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { isLocal } from "./addresses";
import { freeColumn } from "./columns";
import type { Commands } from "./commands";
import { type Preview, openOutside } from "./preview";
import type { Saving } from "./saving";
import { settingsOf } from "./settings";

export function middleware(commands: () => Commands, preview: Preview, saving: Saving): Middleware {
  return {
    executeCommand: (command: string, sent: unknown[]) => commands().carryOut(command, sent),
    workspace: {
      configuration: (params, token, next) =>
        params.items.every((item) => item.section === "forge")
          ? params.items.map((item) => settingsOf(item.scopeUri))
          : next(params, token),
      handleApplyEdit(params, next) {
        saving.note(params.edit);
        // The library gives it no cancellation.
        return next(params, new vscode.CancellationTokenSource().token);
      },
    },
    window: {
      async showDocument(params, token, next) {
        if (params.external !== true && params.takeFocus !== true) {
          const place = { preview: true, preserveFocus: true, viewColumn: freeColumn() };
          await vscode.window.showTextDocument(vscode.Uri.parse(params.uri), place);
          return { success: true };
        }
        if (params.external !== true || !isLocal(params.uri)) {
          const shown = await next(params, token);
          return "success" in shown ? shown : { success: false };
        }
        const place = vscode.workspace.getConfiguration("forge").get<string>("preview");
        if (place === "browser") return { success: await openOutside(params.uri) };
        await preview.show(params.uri);
        return { success: true };
      },
    },
  };
}
