/** Asks the person for what a command lacks. */

import * as vscode from "vscode";
import { chooseChange, chooseFragment, choosePart, chooseSkill, chooseTarget } from "./choosing";

/** What one command is given; undefined where the person thought better of it. */
export type Given = Readonly<Record<string, unknown>>;

/** Gives the answer of a command of the server's. */
export type Execute = (command: string, given: Given) => Promise<unknown>;

const PROMPTS: Readonly<Record<string, readonly [title: string, example: string]>> = {
  "forge.generate": ["Forge: what shall be made?", "a counter app with a reset button"],
  "forge.edit": ["Forge: what shall be changed?", "add a reset button"],
  "forge.build": ["Forge: which app shall be built?", "a landing page with pricing"],
};

const MOST_LISTED = 100;

/** What was sent with a command; VS Code's own menus send the resource and more, which counts as nothing. */
export function sentObject([sent]: readonly unknown[]): Given | undefined {
  if (typeof sent !== "object" || sent === null || Array.isArray(sent)) return undefined;
  return Object.getPrototypeOf(sent) === Object.prototype ? (sent as Given) : undefined;
}

/** What a command is to be given: what was sent with it, made whole. `reviewed` is what the open diff shows. */
export async function wholeArguments(
  command: string,
  sent: Given | undefined,
  reviewed: Given | undefined,
  execute: Execute,
): Promise<Given | undefined> {
  const place = sent ?? (await placeOf(command, reviewed));
  if (place === undefined) return undefined;
  const lacking = await askedFor(command, place, sent === undefined, execute);
  return lacking && { ...place, ...lacking };
}

/** What the person gives beside `given`, which is nothing where that is whole. */
async function askedFor(command: string, given: Given, isBare: boolean, execute: Execute): Promise<Given | undefined> {
  const prompt = PROMPTS[command];
  if (prompt !== undefined) {
    if (isFilled(given["prompt"])) return {};
    const text = await ask(...prompt);
    return text === undefined ? undefined : { prompt: text };
  }
  switch (command) {
    case "forge.review.accept":
    case "forge.review.reject":
      return isBare ? choosePart(command === "forge.review.accept" ? "accept" : "reject", given, execute) : {};
    case "forge.history":
      return isBare ? { limit: MOST_LISTED, quiet: true } : {};
    case "forge.restore":
      return isFilled(given["changeSetId"]) ? {} : chooseChange(given, execute);
    case "forge.skill.run":
      return isFilled(given["alias"]) ? {} : chooseSkill("critique", folderOf(given), execute);
    case "forge.augmenter.run":
      return isFilled(given["alias"]) ? {} : chooseSkill("augmenter", folderOf(given), execute);
    case "forge.packages.install":
      return Array.isArray(given["packages"]) ? {} : askForPackages();
    case "forge.apply":
      return isBare ? chooseApplied(given, execute) : {};
    case "forge.fragment.update":
      return isBare ? chooseUpdated(given, execute) : {};
    default:
      return {};
  }
}

function folderOf({ textDocument }: Given): Given {
  return textDocument === undefined ? {} : { textDocument };
}

async function askForPackages(): Promise<Given | undefined> {
  const names = await ask("Forge: which packages?", "clsx zod@3");
  return names === undefined ? undefined : { packages: names.trim().split(/[\s,]+/) };
}

async function chooseApplied(place: Given, execute: Execute): Promise<Given | undefined> {
  const fragment = await chooseFragment(place, execute);
  const target = fragment && (await chooseTarget());
  return target && { ...fragment, ...target };
}

/** The active file goes into a fragment as it stands there, saved or not. */
async function chooseUpdated(place: Given, execute: Execute): Promise<Given | undefined> {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined || vscode.workspace.getWorkspaceFolder(document.uri) === undefined) {
    void vscode.window.showInformationMessage("Forge: open the file that the fragment is to have, then try again.");
    return undefined;
  }
  const fragment = await chooseFragment(place, execute);
  return fragment && { ...fragment, files: { [vscode.workspace.asRelativePath(document.uri, false)]: document.getText() } };
}

/** The active document tells the server which folder is meant, or the open diff; where neither does, and there are
 *  several, the person is asked. */
async function placeOf(command: string, reviewed: Given | undefined): Promise<Given | undefined> {
  if (/^forge\.(cancel|runs|status)$/.test(command)) return {};
  if (/^forge\.review\./.test(command) && reviewed !== undefined) return reviewed;
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (uri !== undefined && vscode.workspace.getWorkspaceFolder(uri) !== undefined) return { textDocument: { uri: uri.toString() } };
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
