/** Finds the language server on this machine. */

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = process.platform === "win32" ? ["forge-lsp.exe"] : ["forge-lsp"];
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
  /** The setting `forge.uvxFrom`; empty where uvx isn't to be used. */
  readonly uvxFrom: string;
}

/** The nearest forge-lsp: the setting, a folder's `.venv`, the PATH, uvx; undefined where there is none. */
export function findServer(places: Places): Found | undefined {
  if (places.chosen !== "") {
    return isProgram(places.chosen) ? { command: places.chosen, args: ["lsp"] } : undefined;
  }
  const inVenvs = places.folders.map((folder) => join(folder, ".venv", IN_VENV));
  for (const folder of [...inVenvs, ...onPath(places.path)]) {
    for (const name of NAMES) {
      const place = join(folder, name);
      if (isProgram(place)) return { command: place, args: ["lsp"] };
    }
  }
  const uvx = places.uvxFrom === "" ? undefined : findUvx(places.path);
  return uvx === undefined ? undefined : { command: uvx, args: ["--from", places.uvxFrom, "forge-lsp", "lsp"] };
}

function findUvx(path: string): string | undefined {
  const name = process.platform === "win32" ? "uvx.exe" : "uvx";
  return onPath(path)
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** Relative entries are left out: they would mean a folder that happens to be the current one. */
function onPath(path: string): string[] {
  return path.split(delimiter).filter((folder) => folder.startsWith("/") || /^[A-Za-z]:\\/.test(folder));
}

function isProgram(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return statSync(place).isFile();
  } catch {
    return false;
  }
}
