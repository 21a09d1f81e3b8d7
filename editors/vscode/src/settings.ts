/** The settings that the server is sent: a workspace may choose models, nothing else. */

import * as vscode from "vscode";
import { WORKSPACE_MAY_SET } from "./generated";

const ALLOWED: ReadonlySet<string> = new Set(WORKSPACE_MAY_SET);

type Tree = Record<string, unknown>;

/** What VS Code knows of a section: by whom each value was set. */
export interface Inspected {
  readonly defaultValue?: unknown;
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

/** What the server is told of the folder `scope`. */
export function settingsOf(scope: string | undefined): Tree {
  const uri = scope === undefined ? undefined : vscode.Uri.parse(scope);
  return serverSettings(vscode.workspace.getConfiguration(undefined, uri).inspect("forge"));
}

/** Of everything that is taken over when the server starts. */
export function fingerprint(): string {
  const settings = vscode.workspace.getConfiguration("forge");
  return JSON.stringify([settings.get("path"), settings.get("uvxFrom"), settingsOf(undefined)]);
}

/** The groups of settings, nearer over farther. VS Code lets a workspace set what isn't declared, too, so what
 *  came from one is sifted here. */
export function serverSettings(inspected: Inspected | undefined): Tree {
  const layers = [
    asTree(inspected?.defaultValue),
    asTree(inspected?.globalValue),
    sifted(asTree(inspected?.workspaceValue)),
    sifted(asTree(inspected?.workspaceFolderValue)),
  ];
  const merged: Record<string, Tree> = {};
  for (const layer of layers) {
    for (const [group, values] of Object.entries(layer)) {
      if (isTree(values)) merged[group] = { ...merged[group], ...values };
    }
  }
  return merged;
}

function sifted(layer: Tree): Tree {
  const groups = Object.entries(layer).flatMap(([group, values]) => {
    const allowed = Object.entries(asTree(values)).filter(([name]) => ALLOWED.has(`${group}.${name}`));
    return allowed.length > 0 ? [[group, Object.fromEntries(allowed)] as const] : [];
  });
  return Object.fromEntries(groups);
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asTree(value: unknown): Tree {
  return isTree(value) ? value : {};
}
