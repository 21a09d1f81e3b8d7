/** What the server is doing, as a tally of its events and an item in the status bar. */

import * as vscode from "vscode";
import type { Event } from "./generated";

const CHARACTERS_PER_TOKEN = 4;

/** Counts what the runs under way have written. */
export class Tally {
  private readonly characters = new Map<string, number>();
  /** By the last run that looked. */
  errors = 0;

  take(runId: string, event: Event): void {
    switch (event.type) {
      case "run_started":
        this.characters.set(runId, 0);
        break;
      case "text_delta":
      case "file_delta":
        this.characters.set(runId, (this.characters.get(runId) ?? 0) + event.text.length);
        break;
      case "diagnostics_changed":
        this.errors = event.errors;
        break;
      case "run_finished":
        this.characters.delete(runId);
        break;
      default:
        break;
    }
  }

  get isWriting(): boolean {
    return this.characters.size > 0;
  }

  get tokens(): number {
    const all = [...this.characters.values()].reduce((sum, each) => sum + each, 0);
    return Math.floor(all / CHARACTERS_PER_TOKEN);
  }

  /** The server is gone, and its runs with it. */
  clear(): void {
    this.characters.clear();
    this.errors = 0;
  }
}

/** 950, 1.2k, 31k. */
export function shortCount(count: number): string {
  if (count < 1000) return String(count);
  return count < 10_000 ? `${(count / 1000).toFixed(1)}k` : `${String(Math.floor(count / 1000))}k`;
}

export type State = "starting" | "missing" | "untrusted" | "running" | "stopped";

/** The item; a click on it opens the menu. */
export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("forge", vscode.StatusBarAlignment.Left, 10);
  private state: State = "starting";
  private hasKey = true;

  constructor(private readonly tally: Tally) {
    this.item.name = "Forge";
    this.item.command = "forge.menu";
    this.draw();
    this.item.show();
  }

  set(state: State): void {
    this.state = state;
    if (state !== "running") this.tally.clear();
    this.draw();
  }

  setKey(isThere: boolean): void {
    this.hasKey = isThere;
    this.draw();
  }

  draw(): void {
    const [text, tooltip] = this.words();
    this.item.text = text;
    this.item.tooltip = tooltip;
    void vscode.commands.executeCommand("setContext", "forge.running", this.state === "running");
    void vscode.commands.executeCommand("setContext", "forge.writing", this.tally.isWriting);
  }

  dispose(): void {
    this.item.dispose();
  }

  private words(): [string, string] {
    switch (this.state) {
      case "starting":
        return ["$(loading~spin) Forge", "The language server is starting."];
      case "missing":
        return ["$(warning) Forge: not installed", "Click for how to install forge-lsp."];
      case "untrusted":
        return ["$(shield) Forge: restricted", "Forge starts once this folder is trusted."];
      case "stopped":
        return ["$(error) Forge: stopped", "The language server has stopped. Click to restart it."];
      case "running":
        break;
    }
    if (this.tally.isWriting) {
      return [`$(sync~spin) Forge: writing · ${shortCount(this.tally.tokens)} tokens`, "Click to cancel."];
    }
    if (this.tally.errors > 0) {
      return [`$(warning) Forge: ${String(this.tally.errors)} problem(s)`, "The preview has problems."];
    }
    if (!this.hasKey) return ["$(key) Forge: demo, no key", "The demo model gives prepared answers until there is a key."];
    return ["$(check) Forge", "Click for what can be done."];
  }
}
