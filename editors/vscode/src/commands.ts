/** Carries out the commands: the server's, made whole and with their answers shown, and the extension's own. */

import * as vscode from "vscode";
import { showAnswer } from "./answers";
import { type Execute, type Given, ask, sentObject, wholeArguments } from "./asking";
import type { Review } from "./choosing";
import { Refusal, toldOnce } from "./refusal";
import type { Reviews } from "./reviewing";
import type { Runs } from "./runs";
import type { Server } from "./server";

/** The commands that take their time. */
const LONG: ReadonlySet<string> = new Set([
  "forge.generate",
  "forge.edit",
  "forge.build",
  "forge.resume",
  "forge.fix",
  "forge.skill.run",
  "forge.augmenter.run",
  "forge.packages.install",
  "forge.sandbox.create",
  "forge.sandbox.run",
]);

/** Those that need no folder. */
const ANYWHERE: ReadonlySet<string> = new Set(["forge.cancel", "forge.runs", "forge.status", "forge.skills"]);

export class Commands {
  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly server: Server,
    private readonly reviews: Reviews,
    private readonly runs: Runs,
  ) {}

  /** A command of the server's, however it was called; undefined where the person thought better of it, or was told
   *  why it can't be done. */
  carryOut(command: string, sent: readonly unknown[]): Promise<unknown> {
    return toldOnce(this.log, async () => {
      if (!ANYWHERE.has(command) && vscode.workspace.workspaceFolders === undefined) return offerFolder();
      const object = sentObject(sent);
      const given = await wholeArguments(command, object, this.reviews.shown, this.execute);
      if (given === undefined) return undefined;
      const answer = await this.started(command, given);
      if (command === "forge.review.diff") await this.reviews.show(answer as Review, placeIn(given));
      else if (object === undefined) await showAnswer(command, answer, given, this.execute, this.log);
      return answer;
    });
  }

  /** Everything of the open diff, else of the last run. */
  decideAll(command: "forge.review.accept" | "forge.review.reject"): Promise<unknown> {
    return toldOnce(this.log, () => this.started(command, this.reviews.shown ?? this.runs.newest));
  }

  editSelection(): Promise<unknown> {
    return this.onSelection("forge.edit", async () => {
      const prompt = await ask("Forge: what shall be changed in the selection?", "make it shorter");
      return prompt === undefined ? undefined : { prompt };
    });
  }

  critiqueSelection(): Promise<unknown> {
    return this.onSelection("forge.skill.run", () => wholeArguments("forge.skill.run", {}, undefined, this.execute));
  }

  private readonly execute: Execute = (command, given) => this.server.execute(command, given);

  private async started(command: string, given: Given): Promise<unknown> {
    try {
      const answer = LONG.has(command) ? await this.server.run(command, given) : await this.server.execute(command, given);
      this.runs.started(answer, given);
      return answer;
    } catch (error) {
      // What is shown may have been decided elsewhere.
      if (error instanceof Refusal) await this.runs.look();
      throw error;
    }
  }

  private onSelection(command: string, lacking: () => Promise<Given | undefined>): Promise<unknown> {
    return toldOnce(this.log, async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor === undefined) return undefined;
      const { document, selection } = editor;
      const given = await lacking();
      if (given === undefined) return undefined;
      const place = { textDocument: { uri: document.uri.toString() } };
      return this.started(command, { ...given, ...place, ...(selection.isEmpty ? {} : { range: plainRange(selection) }) });
    });
  }
}

function placeIn({ textDocument }: Given): Given {
  return textDocument === undefined ? {} : { textDocument };
}

function plainRange({ start, end }: vscode.Range): Given {
  return {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
}

async function offerFolder(): Promise<undefined> {
  const open = "Open a Folder…";
  const picked = await vscode.window.showInformationMessage("Forge works in a folder, and none is open.", open);
  if (picked === open) await vscode.commands.executeCommand("vscode.openFolder");
}
