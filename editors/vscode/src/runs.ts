/** What the person is offered when a run has ended: the diff, an undo, saved files. */

import * as vscode from "vscode";
import type { Given, Review } from "./asking";
import type { Event } from "./generated";
import type { Reviews } from "./reviewing";

type Execute = (command: string, given: object) => Promise<unknown>;

interface Seen {
  kind: string;
  /** What the model wrote. */
  readonly written: Set<string>;
  /** What an accept or an undo made so in the workspace. */
  readonly applied: Set<string>;
}

export class Runs {
  private readonly seen = new Map<string, Seen>();
  private readonly places = new Map<string, Given>();

  constructor(
    private readonly execute: Execute,
    private readonly reviews: Reviews,
  ) {}

  /** The folder that the last run was asked for in; of several it is the one that is meant. */
  newest: Given = {};

  /** A command was answered: where that was a run, its folder is remembered. */
  started(answer: unknown, { textDocument }: Given): void {
    if (typeof answer !== "object" || answer === null || !("runId" in answer)) return;
    this.newest = textDocument === undefined ? {} : { textDocument };
    this.places.set(String(answer.runId), this.newest);
  }

  take(runId: string, event: Event): void {
    const seen = this.seen.get(runId) ?? { kind: "", written: new Set(), applied: new Set() };
    this.seen.set(runId, seen);
    if (event.type === "run_started") seen.kind = event.kind;
    if (event.type === "file_finished") seen.written.add(event.path);
    if (event.type === "file_applied" && event.target === "workspace" && event.ok) seen.applied.add(event.path);
    if (event.type !== "run_finished") return;
    this.seen.delete(runId);
    void this.ended(runId, seen, event.outcome === "completed");
  }

  private async ended(runId: string, seen: Seen, isComplete: boolean): Promise<void> {
    const settings = vscode.workspace.getConfiguration("forge");
    if (seen.applied.size > 0 && settings.get<boolean>("saveAfterAccept")) await save(seen.applied);
    const place = this.places.get(runId) ?? {};
    this.places.delete(runId);
    if (["accept", "reject", "undo"].includes(seen.kind)) await this.refreshReview(place);
    if (seen.kind === "accept" && seen.applied.size > 0) void this.offerUndo(seen.applied.size, place);
    if (isComplete && seen.written.size > 0 && seen.applied.size === 0 && settings.get<boolean>("openReview")) {
      await this.review({ ...place, changeSetId: runId });
    }
  }

  /** Show what a run left for review, where it left something. */
  private async review(given: Given): Promise<void> {
    const review = await this.pending(given);
    if (review !== undefined) await this.reviews.show(review);
  }

  private async refreshReview(place: Given): Promise<void> {
    await this.reviews.decided((await this.pending(place)) === undefined);
  }

  /** What waits for review; undefined where nothing does. */
  private async pending(given: Given): Promise<Review | undefined> {
    const review = (await this.execute("forge.review.diff", { ...given, quiet: true })) as Review;
    return review.files.length > 0 ? review : undefined;
  }

  private async offerUndo(count: number, place: Given): Promise<void> {
    const picked = await vscode.window.showInformationMessage(`Forge: ${String(count)} file(s) changed.`, "Undo", "Preview");
    if (picked === "Undo") await this.execute("forge.undo", place);
    if (picked === "Preview") await this.execute("forge.sandbox.open", place);
  }
}

async function save(paths: ReadonlySet<string>): Promise<void> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  const changed = vscode.workspace.textDocuments.filter(
    ({ uri, isDirty }) =>
      isDirty &&
      folders.some((folder) => [...paths].some((path) => vscode.Uri.joinPath(folder.uri, path).toString() === uri.toString())),
  );
  for (const document of changed) await document.save();
}
