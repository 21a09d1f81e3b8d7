/** Shows what a command of the server's answered, where the server itself shows nothing. */

import * as vscode from "vscode";
import type { Execute, Given } from "./asking";
import { type Fragment, type HistoryEntry, counted, described } from "./choosing";
import { shortCount } from "./status";

/** One of what `forge.runs` answers. */
interface ListedRun {
  readonly runId: string;
  readonly kind: string;
  readonly title: string;
  readonly outcome: string | null;
  readonly outputTokens: number;
  readonly costUsd: number | null;
}

interface LogLine {
  readonly source: string;
  readonly text: string;
}

/** The person has called it without arguments, in the folder `place`. */
export async function showAnswer(
  command: string,
  answer: unknown,
  place: Given,
  execute: Execute,
  log: vscode.LogOutputChannel,
): Promise<void> {
  switch (command) {
    case "forge.runs":
      await showRuns(answer as readonly ListedRun[]);
      break;
    case "forge.history":
      await showHistory(answer as readonly HistoryEntry[], place);
      break;
    case "forge.fragments":
      await showFragments(answer as readonly Fragment[], place, execute);
      break;
    case "forge.sandbox.status":
      await showStatus(answer as { readonly isAlive: boolean; readonly url: string }, place, execute);
      break;
    case "forge.sandbox.files":
      await showFiles((answer as { readonly files: readonly string[] }).files, place);
      break;
    case "forge.sandbox.diagnostics":
      await vscode.commands.executeCommand("workbench.actions.view.problems");
      break;
    case "forge.sandbox.logs":
      for (const { source, text } of (answer as { readonly lines: readonly LogLine[] }).lines) log.info(`[preview] ${source}: ${text}`);
      log.show();
      break;
    case "forge.sandbox.kill":
      vscode.window.setStatusBarMessage("Forge: the preview has ended.", SHOWN_MS);
      break;
    case "forge.conversation.new":
      vscode.window.setStatusBarMessage("Forge: a new conversation has begun.", SHOWN_MS);
      break;
    default:
      break;
  }
}

const SHOWN_MS = 5000;

async function showRuns(runs: readonly ListedRun[]): Promise<void> {
  const items = runs.map(({ runId, kind, title, outcome, outputTokens, costUsd }) => ({
    label: title,
    description: [kind, outcome ?? "under way", ...spent(outputTokens, costUsd)].join(" · "),
    runId,
    isLiving: outcome === null,
  }));
  const picked = await vscode.window.showQuickPick(items, { title: "Forge: recent runs", matchOnDescription: true });
  if (picked === undefined) return;
  if (picked.isLiving) await vscode.commands.executeCommand("forge.cancel", { runId: picked.runId });
  else await vscode.commands.executeCommand("forge.review.diff", { changeSetId: picked.runId });
}

function spent(tokens: number, costUsd: number | null): string[] {
  if (tokens === 0) return [];
  const written = `${shortCount(tokens)} tokens`;
  return costUsd === null ? [written] : [written, `$${costUsd.toFixed(2)}`];
}

/** Any that was accepted can be taken back, in any order. */
async function showHistory(entries: readonly HistoryEntry[], { textDocument }: Given): Promise<void> {
  if (entries.length === 0) {
    void vscode.window.showInformationMessage("Forge has changed nothing in this folder yet.");
    return;
  }
  const items = entries.map((entry) => ({ ...described(entry), entry }));
  const options = { title: "Forge: what was changed so far", matchOnDescription: true, matchOnDetail: true };
  const picked = (await vscode.window.showQuickPick(items, options))?.entry;
  if (picked === undefined) return;
  const given = { changeSetId: picked.changeSetId, ...(textDocument === undefined ? {} : { textDocument }) };
  const waits = { label: "$(diff-multiple) Review it", command: "forge.review.diff" };
  const ways = [
    { label: "$(discard) Undo it", command: "forge.undo" },
    { label: "$(history) Go back to how all was after it", command: "forge.restore" },
  ];
  const offered = [...(picked.state === "pending" ? [waits] : []), ...(picked.acceptedAt === null ? [] : ways)];
  const way = await vscode.window.showQuickPick(offered, { title: picked.title });
  if (way !== undefined) await vscode.commands.executeCommand(way.command, given);
}

async function showFragments(fragments: readonly Fragment[], place: Given, execute: Execute): Promise<void> {
  const items = fragments.map(({ id, title, version, files }) => ({
    label: title,
    description: `version ${String(version)} · ${counted(files.length)}`,
    detail: files.join(", "),
    id,
  }));
  const picked = await vscode.window.showQuickPick(items, { title: "Forge: fragments; one that is chosen is applied", matchOnDetail: true });
  if (picked !== undefined) await execute("forge.apply", { ...place, fragmentId: picked.id });
}

async function showStatus({ isAlive, url }: { readonly isAlive: boolean; readonly url: string }, place: Given, execute: Execute): Promise<void> {
  const [open, start] = ["Show It", "Start It Again"];
  const told = isAlive ? `Forge: the preview is at ${url}` : "Forge: the preview has ended.";
  const picked = await vscode.window.showInformationMessage(told, isAlive ? open : start);
  if (picked === open) await execute("forge.sandbox.open", place);
  if (picked === start) await execute("forge.sandbox.create", place);
}

async function showFiles(files: readonly string[], { textDocument }: Given): Promise<void> {
  const path = await vscode.window.showQuickPick(files, { title: "Forge: the preview's files" });
  const named = (textDocument as { readonly uri: string } | undefined)?.uri;
  const folder = named === undefined ? undefined : vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(named));
  const root = folder ?? vscode.workspace.workspaceFolders?.[0];
  if (path === undefined || root === undefined) return;
  await vscode.window.showTextDocument(vscode.Uri.joinPath(root.uri, path));
}
