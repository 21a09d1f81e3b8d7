/** A run as a notification that can cancel it: what a server begins is shown in the status bar only. */

import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import { type LanguageClient, WorkDoneProgress, WorkDoneProgressCancelNotification } from "vscode-languageclient/node";

const TITLES: Readonly<Record<string, string>> = {
  "forge.generate": "Forge: generating",
  "forge.edit": "Forge: editing",
  "forge.build": "Forge: building",
  "forge.resume": "Forge: building",
  "forge.fix": "Forge: mending",
  "forge.skill.run": "Forge: looking",
  "forge.augmenter.run": "Forge: augmenting",
  "forge.packages.install": "Forge: installing packages",
  "forge.sandbox.run": "Forge: running Python",
  "forge.sandbox.create": "Forge: starting the preview",
};

/** Start a run; answers at once, while the notification stays until the run has ended or the server is gone. */
export function runShown(client: LanguageClient, command: string, given: object): Promise<unknown> {
  const token = randomUUID();
  return new Promise((resolve, reject) => {
    const options = {
      location: vscode.ProgressLocation.Notification,
      title: TITLES[command] ?? "Forge",
      cancellable: true,
    };
    void vscode.window.withProgress(options, (progress, cancel) => {
      cancel.onCancellationRequested(() => {
        // A server that is gone has cancelled it.
        client.sendNotification(WorkDoneProgressCancelNotification.type, { token }).catch(() => undefined);
      });
      return new Promise<void>((done) => {
        let reached = 0;
        const subscriptions = [
          client.onProgress(WorkDoneProgress.type, token, (value) => {
            if (value.kind === "end") {
              end();
              return;
            }
            const percentage = value.percentage ?? reached;
            progress.report({ message: value.message ?? "", increment: percentage - reached });
            reached = percentage;
          }),
          client.onDidChangeState(() => {
            end();
          }),
        ];
        const end = (): void => {
          for (const each of subscriptions) each.dispose();
          done();
        };
        client.sendRequest("workspace/executeCommand", { command, arguments: [given], workDoneToken: token }).then(resolve, (error: unknown) => {
          end();
          reject(error instanceof Error ? error : new Error(String(error)));
        });
      });
    });
  });
}
