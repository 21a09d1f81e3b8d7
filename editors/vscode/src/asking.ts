/** Asks the person for what a command lacks. */

import * as vscode from "vscode";

/** What one command is given; undefined where the person thought better of it. */
export type Given = Record<string, unknown>;

/** Gives the answer of a command of the server's. */
export type Execute = (command: string, given: Given) => Promise<unknown>;

const PROMPTS: Readonly<Record<string, readonly [title: string, example: string]>> = {
  "forge.generate": ["Forge: what shall be made?", "a counter app with a reset button"],
  "forge.edit": ["Forge: what shall be changed?", "add a reset button"],
  "forge.build": ["Forge: which app shall be built?", "a landing page with pricing"],
};

/** What a command is to be given: the arguments that came with it, made whole. VS Code's own menus send the
 *  resource and more, which counts as nothing. */
export async function wholeArguments(command: string, sent: readonly unknown[], execute: Execute): Promise<Given | undefined> {
  const place = plain(sent[0]) === undefined ? await placeOf(command) : {};
  if (place === undefined) return undefined;
  const given = { ...place, ...plain(sent[0]) };
  const isEmpty = plain(sent[0]) === undefined;
  const prompt = PROMPTS[command];
  if (prompt !== undefined && !isFilled(given["prompt"])) {
    const text = await ask(...prompt);
    return text === undefined ? undefined : { ...given, prompt: text };
  }
  switch (command) {
    case "forge.review.accept":
    case "forge.review.reject":
      return isEmpty ? choosePart(command === "forge.review.accept" ? "accept" : "reject", given, execute) : given;
    case "forge.restore":
      return isFilled(given["changeSetId"]) ? given : chooseChange(given, execute);
    case "forge.skill.run":
      return isFilled(given["alias"]) ? given : chooseSkill("critique", given, execute);
    case "forge.augmenter.run":
      return isFilled(given["alias"]) ? given : chooseSkill("augmenter", given, execute);
    case "forge.packages.install": {
      if (Array.isArray(given["packages"])) return given;
      const names = await ask("Forge: which packages?", "clsx zod@3");
      return names === undefined ? undefined : { ...given, packages: names.split(/[\s,]+/) };
    }
    default:
      return given;
  }
}

/** One object that a lens, an action or an extension sent. */
function plain(sent: unknown): Given | undefined {
  if (typeof sent !== "object" || sent === null || Array.isArray(sent) || sent instanceof vscode.Uri) return undefined;
  return Object.getPrototypeOf(sent) === Object.prototype ? (sent as Given) : undefined;
}

/** The active document tells the server which folder is meant, and where none is active, and there are several, the
 *  person does. */
async function placeOf(command: string): Promise<Given | undefined> {
  if (/^forge\.(cancel|runs|status)$/.test(command)) return {};
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (uri?.scheme === "file") return { textDocument: { uri: uri.toString() } };
  if ((vscode.workspace.workspaceFolders ?? []).length < 2) return {};
  const folder = await vscode.window.showWorkspaceFolderPick({ placeHolder: "Forge: in which folder?" });
  return folder && { textDocument: { uri: folder.uri.toString() } };
}

function isFilled(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}

export async function ask(title: string, placeHolder: string): Promise<string | undefined> {
  const text = await vscode.window.showInputBox({ title, placeHolder, ignoreFocusOut: true });
  return isFilled(text) ? text : undefined;
}

interface Skill {
  readonly alias: string;
  readonly title: string;
  readonly description: string;
  readonly kind: string;
}

async function chooseSkill(kind: string, given: Given, execute: Execute): Promise<Given | undefined> {
  const skills = (await execute("forge.skills", {})) as readonly Skill[];
  const items = skills
    .filter((skill) => skill.kind === kind)
    .map(({ alias, title, description }) => ({ label: title, description: alias, detail: description, alias }));
  const picked = await vscode.window.showQuickPick(items, { title: `Forge: which ${kind}?`, matchOnDescription: true });
  return picked && { ...given, alias: picked.alias };
}

interface Hunk {
  readonly hunkId: string;
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface ReviewedFile {
  readonly path: string;
  readonly uri: string;
  readonly beforeUri: string | null;
  readonly afterUri: string | null;
  readonly hunks: readonly Hunk[];
}

/** What `forge.review.diff` answers. */
export interface Review {
  readonly changeSetId: string;
  readonly files: readonly ReviewedFile[];
}

type Part = vscode.QuickPickItem & { readonly given: Given };

async function choosePart(verb: string, given: Given, execute: Execute): Promise<Given | undefined> {
  const review = (await execute("forge.review.diff", given)) as Review;
  const { changeSetId, files } = review;
  const parts: Part[] = [{ label: "Everything", description: `${String(files.length)} file(s)`, given: { changeSetId } }];
  for (const { path, hunks } of files) {
    parts.push({ label: path, description: "the whole file", given: { changeSetId, path } });
    if (hunks.length < 2) continue;
    for (const [index, { hunkId, firstLine, lastLine }] of hunks.entries()) {
      const lines = `lines ${String(firstLine + 1)}–${String(Math.max(firstLine, lastLine) + 1)}`;
      parts.push({ label: `${path} · change ${String(index + 1)}`, description: lines, given: { changeSetId, path, hunkId } });
    }
  }
  const picked = await vscode.window.showQuickPick(parts, { title: `Forge: what do you ${verb}?`, matchOnDescription: true });
  return picked && { ...given, ...picked.given };
}

interface HistoryEntry {
  readonly changeSetId: string;
  readonly title: string;
  readonly state: string;
  readonly acceptedAt: number | null;
}

async function chooseChange(given: Given, execute: Execute): Promise<Given | undefined> {
  const entries = ((await execute("forge.history", given)) ?? []) as readonly HistoryEntry[];
  const items = entries
    .filter((entry) => entry.acceptedAt !== null)
    .map((entry) => ({ label: entry.title, description: entry.state, changeSetId: entry.changeSetId }));
  const picked = await vscode.window.showQuickPick(items, { title: "Forge: go back to which change?" });
  return picked && { ...given, changeSetId: picked.changeSetId };
}
