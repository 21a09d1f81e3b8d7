/** Lists that the person chooses from, made of what the server knows. */

import * as vscode from "vscode";
import type { Execute, Given } from "./asking";

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

interface Skill {
  readonly alias: string;
  readonly title: string;
  readonly description: string;
  readonly kind: string;
}

/** One of what `forge.history` answers. */
export interface HistoryEntry {
  readonly changeSetId: string;
  readonly title: string;
  readonly state: string;
  readonly createdAt: number;
  readonly acceptedAt: number | null;
  readonly files: readonly { readonly path: string; readonly added: number; readonly removed: number }[];
}

/** One of what `forge.fragments` answers. */
export interface Fragment {
  readonly id: string;
  readonly title: string;
  readonly version: number;
  readonly files: readonly string[];
}

type Choice = vscode.QuickPickItem & { readonly given: Given };

async function choose(choices: readonly Choice[], title: string): Promise<Given | undefined> {
  const options = { title, matchOnDescription: true, matchOnDetail: true };
  return (await vscode.window.showQuickPick(choices, options))?.given;
}

/** A change set, a file of it, or a hunk. */
export async function choosePart(verb: string, given: Given, execute: Execute): Promise<Given | undefined> {
  const { changeSetId, files } = (await execute("forge.review.diff", given)) as Review;
  const parts: Choice[] = [{ label: "Everything", description: counted(files.length), given: { changeSetId } }];
  for (const { path, hunks } of files) {
    parts.push({ label: path, description: "the whole file", given: { changeSetId, path } });
    if (hunks.length < 2) continue;
    for (const [index, { hunkId, firstLine, lastLine }] of hunks.entries()) {
      const lines = `lines ${String(firstLine + 1)}–${String(Math.max(firstLine, lastLine) + 1)}`;
      parts.push({ label: `${path} · change ${String(index + 1)}`, description: lines, given: { changeSetId, path, hunkId } });
    }
  }
  return choose(parts, `Forge: what do you ${verb}?`);
}

export async function chooseSkill(kind: string, place: Given, execute: Execute): Promise<Given | undefined> {
  const skills = (await execute("forge.skills", place)) as readonly Skill[];
  const choices = skills
    .filter((skill) => skill.kind === kind)
    .map(({ alias, title, description }) => ({ label: title, description: alias, detail: description, given: { alias } }));
  return choose(choices, `Forge: which ${kind}?`);
}

/** One that was accepted. */
export async function chooseChange(place: Given, execute: Execute): Promise<Given | undefined> {
  const entries = (await execute("forge.history", { ...place, quiet: true })) as readonly HistoryEntry[];
  const choices = entries
    .filter(({ acceptedAt }) => acceptedAt !== null)
    .map((entry) => ({ ...described(entry), given: { changeSetId: entry.changeSetId } }));
  return choose(choices, "Forge: go back to which change?");
}

/** How a change is listed. */
export function described({ title, state, createdAt, files }: HistoryEntry): vscode.QuickPickItem {
  const sum = (key: "added" | "removed"): string => String(files.reduce((total, file) => total + file[key], 0));
  const size = `${counted(files.length)} +${sum("added")} -${sum("removed")}`;
  const detail = [new Date(createdAt).toLocaleString(), size, ...files.map(({ path }) => path)].join(" · ");
  return { label: title, description: state, detail };
}

export async function chooseFragment(place: Given, execute: Execute): Promise<Given | undefined> {
  const fragments = (await execute("forge.fragments", place)) as readonly Fragment[];
  const choices = fragments.map(({ id, title, version, files }) => ({
    label: title,
    description: `version ${String(version)} · ${counted(files.length)}`,
    given: { fragmentId: id },
  }));
  return choose(choices, "Forge: which fragment?");
}

/** Where a fragment goes. */
export async function chooseTarget(): Promise<Given | undefined> {
  const choices = [
    { label: "Workspace and preview", given: { target: "both" } },
    { label: "Workspace", given: { target: "workspace" } },
    { label: "Preview", given: { target: "sandbox" } },
  ];
  return choose(choices, "Forge: where is it applied?");
}

export function counted(files: number): string {
  return files === 1 ? "1 file" : `${String(files)} files`;
}
