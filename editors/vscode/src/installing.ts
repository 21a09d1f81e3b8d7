/** Offers to get the language server where there is none. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import * as vscode from "vscode";
import { findProgram, inVenv } from "./finding";

/** Say that it is missing, and do what the person chooses; `own` is where an installation goes. */
export async function offerInstall(log: vscode.LogOutputChannel, own: string): Promise<void> {
  const chosen = vscode.workspace.getConfiguration("forge").get<string>("path", "");
  const what =
    chosen === ""
      ? "Forge needs its language server, forge-lsp, which is neither in .venv nor on the PATH."
      : `Forge needs its language server, forge-lsp, and ${chosen} (the setting forge.path) is no such program.`;
  const [install, choose, again] = ["Install from a Clone…", "Choose forge-lsp…", "Look Again"];
  switch (await vscode.window.showWarningMessage(what, install, choose, again)) {
    case install:
      await installChosen(log, own);
      break;
    case choose:
      await chooseProgram();
      break;
    case again:
      await vscode.commands.executeCommand("forge.restart");
      break;
    default:
      break;
  }
}

async function chooseProgram(): Promise<void> {
  const [place] = (await vscode.window.showOpenDialog({ title: "Forge: where is forge-lsp?" })) ?? [];
  if (place !== undefined) await vscode.workspace.getConfiguration("forge").update("path", place.fsPath, true);
}

async function installChosen(log: vscode.LogOutputChannel, own: string): Promise<void> {
  const title = "Forge: where is your clone of forge-lsp's repository?";
  const [clone] = (await vscode.window.showOpenDialog({ title, canSelectFolders: true, canSelectFiles: false })) ?? [];
  if (clone === undefined) return;
  const progress = { location: vscode.ProgressLocation.Notification, title: "Forge: installing forge-lsp", cancellable: true };
  const ended = await vscode.window.withProgress(progress, async (_, cancel) =>
    (await install(log, clone.fsPath, own, cancel)) ? "installed" : cancel.isCancellationRequested ? "cancelled" : "failed",
  );
  if (ended === "failed") {
    const show = "Show the Log";
    const why = "forge-lsp could not be installed; the log says why. It needs Python 3.11 or newer.";
    if ((await vscode.window.showErrorMessage(why, show)) === show) log.show();
  }
  if (ended !== "installed") return;
  await vscode.workspace.getConfiguration("forge").update("path", undefined, true);
  await vscode.commands.executeCommand("forge.restart");
}

/** Into a virtual environment of its own; what is said goes into the log. */
async function install(
  log: vscode.LogOutputChannel,
  clone: string,
  own: string,
  cancel: vscode.CancellationToken,
): Promise<boolean> {
  const python = findProgram("python3", process.env["PATH"] ?? "");
  if (python === undefined) {
    log.error("Python 3.11 or newer must be on the PATH as python3.");
    return false;
  }
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", clone];
  return (
    (await logged(log, cancel, python, ["-m", "venv", own])) &&
    (await logged(log, cancel, inVenv(own, "python"), pip))
  );
}

async function logged(
  log: vscode.LogOutputChannel,
  cancel: vscode.CancellationToken,
  command: string,
  args: readonly string[],
): Promise<boolean> {
  log.info([command, ...args].join(" "));
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const cancelled = cancel.onCancellationRequested(() => child.kill());
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log.info(text.trimEnd());
    });
  }
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code === 0;
  } catch (error) {
    log.error(String(error));
    return false;
  } finally {
    cancelled.dispose();
  }
}
