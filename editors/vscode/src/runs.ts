/** What the person is offered when a run has ended: the diff, an undo, saved files. */

import * as vscode from "vscode";
import type { Execute, Given } from "./asking";
import { type Review, counted } from "./choosing";
import type { Event, RunFinished } from "./generated";
import { unattended } from "./refusal";
import type { Reviews } from "./reviewing";
import type { Saving } from "./saving";

interface Seen {
  kind: string;
  /** What an accept or an undo made so in the workspace. */
  readonly applied: Set<string>;
}

const DECIDING: ReadonlySet<string> = new Set(["accept", "reject", "undo", "restore"]);

export class Runs {
  private readonly seen = new Map<string, Seen>();
  private readonly places = new Map<string, Given>();

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly execute: Execute,
    private readonly reviews: Reviews,
    private readonly saving: Saving,
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
    const seen = this.seen.get(runId) ?? { kind: "", applied: new Set() };
    this.seen.set(runId, seen);
    if (event.type === "run_started") seen.kind = event.kind;
    if (event.type === "file_applied" && event.target === "workspace" && event.ok) {
      seen.applied.add(event.path);
      this.saving.applied(event.path);
    }
    if (event.type !== "run_finished") return;
    const place = this.places.get(runId) ?? {};
    this.places.delete(runId);
    this.seen.delete(runId);
    unattended(this.log, () => this.ended(runId, seen, place, event.outcome));
  }

  /** The server is gone, and its runs with it. */
  clear(): void {
    this.seen.clear();
    this.places.clear();
  }

  /** Another window, or another editor, may have decided on what is shown here. */
  async look(): Promise<void> {
    const { shown } = this.reviews;
    if (shown === undefined) return;
    if ((await this.pending(shown)) === undefined) await this.reviews.close();
    else this.reviews.refresh();
  }

  private async ended(runId: string, seen: Seen, place: Given, outcome: RunFinished["outcome"]): Promise<void> {
    await this.saving.done();
    if (seen.kind === "accept" && seen.applied.size > 0) unattended(this.log, () => this.offerUndo(seen.applied.size, place));
    if (DECIDING.has(seen.kind)) return this.look();
    if (outcome === "cancelled") return;
    const review = await this.pending({ ...place, changeSetId: runId });
    if (review === undefined) return;
    const opens = vscode.workspace.getConfiguration("forge").get<boolean>("openReview", true);
    if (opens && outcome === "completed") await this.reviews.show(review, place);
    else unattended(this.log, () => this.offerReview(review, place));
  }

  /** What waits for review; undefined where nothing does. */
  private async pending(given: Given): Promise<Review | undefined> {
    const review = (await this.execute("forge.review.diff", { ...given, quiet: true })) as Review;
    return review.files.length > 0 ? review : undefined;
  }

  private async offerReview(review: Review, place: Given): Promise<void> {
    const { length } = review.files;
    const what = `${counted(length)} ${length === 1 ? "is" : "are"} ready for review.`;
    const picked = await vscode.window.showInformationMessage(`Forge: ${what}`, "Review", "Accept All", "Reject All");
    if (picked === "Review") await this.reviews.show(review, place);
    if (picked === "Accept All") await this.decide("forge.review.accept", review, place);
    if (picked === "Reject All") await this.decide("forge.review.reject", review, place);
  }

  private async decide(command: string, { changeSetId }: Review, place: Given): Promise<void> {
    this.started(await this.execute(command, { ...place, changeSetId }), place);
  }

  private async offerUndo(count: number, place: Given): Promise<void> {
    const picked = await vscode.window.showInformationMessage(`Forge changed ${counted(count)}.`, "Undo", "Preview");
    if (picked === "Undo") this.started(await this.execute("forge.undo", place), place);
    if (picked === "Preview") await this.execute("forge.sandbox.open", place);
  }
}
