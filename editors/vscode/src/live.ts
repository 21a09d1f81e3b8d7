/** Files while they are being written, as read-only documents `forge-live:/<run>/<path>`. */

import * as vscode from "vscode";
import { freeColumn } from "./columns";
import type { Event } from "./generated";
import { unattended } from "./refusal";

export const LIVE = "forge-live";
const DRAW_EVERY_MS = 80;

/** The texts of one run's files; pure. */
export class LiveTexts {
  private readonly texts = new Map<string, string>();
  /** The file that the model writes at now, whose edits come in the reply's text only. */
  private edited: string | undefined;

  get paths(): readonly string[] {
    return [...this.texts.keys()];
  }

  text(path: string): string {
    return this.texts.get(path) ?? "";
  }

  /** Takes an event in; gives the path whose text it changed. */
  take(event: Event): string | undefined {
    switch (event.type) {
      case "file_started":
        this.edited = event.action === "edit" ? event.path : undefined;
        this.texts.set(event.path, "");
        return event.path;
      case "file_delta":
        this.texts.set(event.path, this.text(event.path) + event.text);
        return event.path;
      case "text_delta":
        if (this.edited !== undefined) this.texts.set(this.edited, this.text(this.edited) + event.text);
        return this.edited;
      case "file_finished":
        if (this.edited === event.path) this.edited = undefined;
        this.texts.set(event.path, event.content ?? "");
        return event.path;
      case "file_dropped":
        if (this.edited === event.path) this.edited = undefined;
        this.texts.delete(event.path);
        return event.path;
      default:
        return undefined;
    }
  }
}

/** Shows them. */
export class Live implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly runs = new Map<string, LiveTexts>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly waiting = new Map<string, vscode.Uri>();
  private readonly registration: vscode.Disposable;
  private timer: NodeJS.Timeout | undefined;

  readonly onDidChange = this.changed.event;

  constructor(private readonly log: vscode.LogOutputChannel) {
    this.registration = vscode.workspace.registerTextDocumentContentProvider(LIVE, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.runs.get(runOf(uri))?.text(uri.path.split("/").slice(2).join("/")) ?? "";
  }

  take(runId: string, event: Event): void {
    if (event.type === "run_started") this.runs.set(runId, new LiveTexts());
    if (event.type === "run_finished") {
      this.runs.delete(runId);
      unattended(this.log, () => this.closeEnded());
      return;
    }
    const path = this.runs.get(runId)?.take(event);
    if (path === undefined) return;
    const uri = vscode.Uri.from({ scheme: LIVE, path: `/${runId}/${path}` });
    if (event.type === "file_started" && isWanted()) unattended(this.log, () => this.show(uri));
    this.waiting.set(uri.toString(), uri);
    this.timer ??= setTimeout(() => {
      this.draw();
    }, DRAW_EVERY_MS);
  }

  /** The server is gone, and its runs with it. */
  clear(): void {
    this.runs.clear();
    unattended(this.log, () => this.closeEnded());
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.registration.dispose();
    this.changed.dispose();
  }

  private draw(): void {
    this.timer = undefined;
    for (const uri of this.waiting.values()) this.changed.fire(uri);
    this.waiting.clear();
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.scheme !== LIVE || editor.selection.start.line > 0) continue;
      const end = editor.document.lineAt(editor.document.lineCount - 1).range;
      editor.revealRange(end);
    }
  }

  private async show(uri: vscode.Uri): Promise<void> {
    const document = await vscode.workspace.openTextDocument(uri);
    if (!this.runs.has(runOf(uri))) return;
    const viewColumn = liveTabs()[0]?.group.viewColumn ?? freeColumn();
    await vscode.window.showTextDocument(document, { preview: true, preserveFocus: true, viewColumn });
    await this.closeEnded();
  }

  /** The run may have ended while its file was being opened. */
  private async closeEnded(): Promise<void> {
    const ended = liveTabs().filter(({ input }) => !this.runs.has(runOf((input as vscode.TabInputText).uri)));
    await vscode.window.tabGroups.close(ended, true);
  }
}

function isWanted(): boolean {
  return vscode.workspace.getConfiguration("forge").get<boolean>("liveText", true);
}

function runOf(uri: vscode.Uri): string {
  return uri.path.split("/")[1] ?? "";
}

function liveTabs(): vscode.Tab[] {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.scheme === LIVE);
}
