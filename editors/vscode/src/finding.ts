/** Finds the language server on this machine. */

import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";

const SUFFIX = process.platform === "win32" ? ".exe" : "";
const IN_VENV = process.platform === "win32" ? "Scripts" : "bin";

/** How the server is started. */
export interface Found {
  readonly command: string;
  readonly args: readonly string[];
}

export interface Places {
  /** The setting `forge.path`; empty where it isn't set. */
  readonly chosen: string;
  /** Folders that are open and trusted. */
  readonly folders: readonly string[];
  /** The environment's PATH. */
  readonly path: string;
  /** The virtual environment that the extension has made itself, if it has. */
  readonly own: string;
  /** The setting `forge.uvxFrom`; empty where uvx isn't to be used. */
  readonly uvxFrom: string;
}

/** The nearest forge-lsp: the setting, a folder's `.venv`, the PATH, the extension's own, uvx; undefined where there is
 *  none. What is chosen and isn't there counts as none. */
export function findServer({ chosen, folders, path, own, uvxFrom }: Places): Found | undefined {
  if (chosen !== "") {
    const place = chosen.replace(/^~(?=[/\\])/, homedir());
    return isAbsolute(place) && isProgram(place) ? { command: place, args: ["lsp"] } : undefined;
  }
  const inVenvs = folders.map((folder) => inVenv(join(folder, ".venv"), "forge-lsp")).filter(isProgram);
  const command = inVenvs[0] ?? findProgram("forge-lsp", path) ?? [inVenv(own, "forge-lsp")].find(isProgram);
  if (command !== undefined) return { command, args: ["lsp"] };
  const uvx = uvxFrom === "" ? undefined : findProgram("uvx", path);
  return uvx === undefined ? undefined : { command: uvx, args: ["--from", uvxFrom, "forge-lsp", "lsp"] };
}

/** A program of a virtual environment. */
export function inVenv(folder: string, name: string): string {
  return join(folder, IN_VENV, name + SUFFIX);
}

/** The first on the PATH. Relative entries are left out: they would mean a folder that happens to be the current one. */
export function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name + SUFFIX))
    .find(isProgram);
}

function isProgram(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return statSync(place).isFile();
  } catch {
    return false;
  }
}
