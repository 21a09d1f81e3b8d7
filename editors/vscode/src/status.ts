/** What the server is doing, as a tally of its events and an item in the status bar. */

import * as vscode from "vscode";
import type { Event } from "./generated";

const CHARACTERS_PER_TOKEN = 4;
const DRAW_EVERY_MS = 200;

/** Counts what the runs under way have written. */
export class Tally {
  private readonly characters = new Map<string, number>();

  take(runId: string, event: Event): void {
    switch (event.type) {
      case "run_started":
        this.characters.set(runId, 0);
        break;
      case "text_delta":
      case "file_delta":
        this.characters.set(runId, (this.characters.get(runId) ?? 0) + event.text.length);
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
  }
}

/** 950, 1.2k, 31k. */
export function shortCount(count: number): string {
  if (count < 1000) return String(count);
  return count < 10_000 ? `${(count / 1000).toFixed(1)}k` : `${String(Math.floor(count / 1000))}k`;
}

export type State = "starting" | "missing" | "untrusted" | "running" | "stopped";

/** What the item is drawn from. */
export interface Shown {
  readonly state: State;
  readonly hasKey: boolean;
  readonly errors: number;
  readonly isWriting: boolean;
  readonly tokens: number;
}

/** The item; a click on it opens the menu. */
export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("forge", vscode.StatusBarAlignment.Left, 10);
  private readonly contexts = new Map<string, boolean>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly look: () => Shown) {
    this.item.name = "Forge";
    this.item.command = "forge.menu";
    this.draw();
    this.item.show();
  }

  draw(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const shown = this.look();
    [this.item.text, this.item.tooltip] = words(shown);
    this.setContext("forge.running", shown.state === "running");
    this.setContext("forge.writing", shown.isWriting);
  }

  /** For what comes by the hundred. */
  drawSoon(): void {
    this.timer ??= setTimeout(() => {
      this.draw();
    }, DRAW_EVERY_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  private setContext(name: string, value: boolean): void {
    if (this.contexts.get(name) === value) return;
    this.contexts.set(name, value);
    void vscode.commands.executeCommand("setContext", name, value);
  }
}

function words({ state, hasKey, errors, isWriting, tokens }: Shown): [string, string] {
  switch (state) {
    case "starting":
      return ["$(loading~spin) Forge", "The language server is starting."];
    case "missing":
      return ["$(warning) Forge: not installed", "Click for how to get forge-lsp."];
    case "untrusted":
      return ["$(shield) Forge: restricted", "Forge starts once this folder is trusted."];
    case "stopped":
      return ["$(error) Forge: stopped", "The language server has stopped. Click to restart it."];
    case "running":
      break;
  }
  if (isWriting) return [`$(sync~spin) Forge: writing · ${shortCount(tokens)} tokens`, "Click for a way to cancel."];
  if (errors > 0) {
    return [`$(warning) Forge: ${errors === 1 ? "1 problem" : `${String(errors)} problems`}`, "The preview has problems. Click to have them mended."];
  }
  if (!hasKey) return ["$(key) Forge: demo, no key", "The demo model gives prepared answers until there is a key. Click to set it."];
  return ["$(check) Forge", "Click for what can be done."];
}
