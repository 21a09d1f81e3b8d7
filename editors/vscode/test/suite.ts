/** Run inside of VS Code's extension host, which calls `run` and ends as its promise does. */

import * as assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as vscode from "vscode";
import { isLocal } from "../src/addresses";
import { findServer } from "../src/finding";
import { COMMANDS } from "../src/generated";
import { LiveTexts } from "../src/live";
import { serverSettings } from "../src/settings";
import { Tally, shortCount } from "../src/status";

const ID = "forge-lsp.forge-lsp";

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
    readonly configuration: { readonly properties: Readonly<Record<string, unknown>> };
  };
}

function program(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const place = join(folder, "forge-lsp");
  writeFileSync(place, "#!/bin/sh\n");
  chmodSync(place, 0o755);
  return place;
}

const NOWHERE = { chosen: "", folders: [], path: "", own: "", uvxFrom: "" };

const TESTS: Readonly<Record<string, (folder: string) => void | Promise<void>>> = {
  "every command of the palette is registered, by the server or by the extension": async () => {
    const extension = vscode.extensions.getExtension(ID);
    assert.ok(extension);
    await extension.activate();
    await vscode.commands.executeCommand("forge.restart");
    const { contributes } = extension.packageJSON as Manifest;
    const known = new Set(await vscode.commands.getCommands(true));
    const named = [...contributes.commands, ...Object.values(contributes.menus).flat()];
    assert.deepEqual(named.map(({ command }) => command).filter((id) => !known.has(id)), []);
    assert.deepEqual(COMMANDS.filter((id) => !known.has(id)), []);
  },

  "restarts that are asked for at once leave one server, which answers": async () => {
    await Promise.all([1, 2, 3].map(() => vscode.commands.executeCommand("forge.restart")));
    const skills = await vscode.commands.executeCommand<readonly unknown[]>("forge.skills", {});
    assert.ok(skills.length > 0);
    await vscode.commands.executeCommand("forge.restart");
    assert.deepEqual(await vscode.commands.executeCommand("forge.skills", {}), skills);
  },

  "what the server refuses is told by it, and is no failure of the command": async () => {
    assert.equal(await vscode.commands.executeCommand("forge.undo", { changeSetId: "run_none" }), undefined);
  },

  "the setting comes first, then a folder's .venv, then the PATH, then the extension's own": (folder) => {
    const inVenv = program(join(folder, "project/.venv/bin"));
    const onPath = program(join(folder, "bin"));
    const own = program(join(folder, "own/bin"));
    const places = { ...NOWHERE, folders: [join(folder, "project")], path: join(folder, "bin"), own: join(folder, "own") };
    assert.equal(findServer(places)?.command, inVenv);
    assert.equal(findServer({ ...places, folders: [] })?.command, onPath);
    assert.equal(findServer({ ...places, folders: [], path: "" })?.command, own);
    assert.equal(findServer({ ...places, chosen: onPath })?.command, onPath);
    assert.equal(findServer({ ...places, chosen: join(folder, "none") }), undefined);
    assert.equal(findServer({ ...places, chosen: "bin/forge-lsp" }), undefined);
  },

  "a relative entry of the PATH is passed over, and uvx is asked only where it is told where from": (folder) => {
    const places = { ...NOWHERE, path: `.:${folder}` };
    const uvx = join(folder, "uvx");
    writeFileSync(uvx, "#!/bin/sh\n", { mode: 0o755 });
    assert.equal(findServer(places), undefined);
    assert.deepEqual(findServer({ ...places, uvxFrom: "/a/clone" }), { command: uvx, args: ["--from", "/a/clone", "forge-lsp", "lsp"] });
  },

  "a workspace chooses models and nothing else": () => {
    const asked = { model: { code: "theirs", base_url: "http://elsewhere" }, http: { auth: false }, path: "/bin/sh" };
    const mine = { model: { base_url: "http://mine" } };
    assert.deepEqual(serverSettings({ globalValue: mine, workspaceValue: asked, workspaceFolderValue: asked }), {
      model: { base_url: "http://mine", code: "theirs" },
    });
    assert.deepEqual(serverSettings(undefined), {});
  },

  "a new file grows by its pieces, an edited one by the reply, and both end as they are meant": () => {
    const texts = new LiveTexts();
    texts.take({ type: "file_started", path: "a.ts", action: "create" });
    texts.take({ type: "text_delta", text: "<file>", index: 0 });
    texts.take({ type: "file_delta", path: "a.ts", text: "one" });
    assert.equal(texts.take({ type: "file_delta", path: "a.ts", text: " two" }), "a.ts");
    assert.equal(texts.text("a.ts"), "one two");
    texts.take({ type: "file_started", path: "b.ts", action: "edit" });
    texts.take({ type: "text_delta", text: "SEARCH", index: 1 });
    assert.equal(texts.text("b.ts"), "SEARCH");
    texts.take({ type: "file_finished", path: "b.ts", content: "whole" });
    texts.take({ type: "text_delta", text: "and on", index: 2 });
    assert.equal(texts.text("b.ts"), "whole");
    texts.take({ type: "file_dropped", path: "a.ts", reason: "cut off" });
    assert.deepEqual(texts.paths, ["b.ts"]);
  },

  "tokens are counted while runs are under way": () => {
    const tally = new Tally();
    tally.take("run_1", { type: "run_started", kind: "edit", title: "x" });
    tally.take("run_1", { type: "text_delta", text: "x".repeat(4800), index: 0 });
    assert.equal(tally.isWriting, true);
    assert.equal(shortCount(tally.tokens), "1.2k");
    tally.take("run_1", { type: "run_finished", outcome: "completed" });
    assert.equal(tally.isWriting, false);
  },

  "only pages of this machine are shown beside the code": () => {
    for (const mine of ["http://sb_1.localhost:8080/", "http://127.0.0.1:1/x", "http://localhost/"]) assert.ok(isLocal(mine));
    for (const other of ["http://localhost.evil.com/", "https://127.0.0.1.evil.com", "file:///etc", "x"]) {
      assert.ok(!isLocal(other));
    }
  },
};

export async function run(): Promise<void> {
  const failures: string[] = [];
  for (const [name, test] of Object.entries(TESTS)) {
    const folder = mkdtempSync(join(tmpdir(), "forge-"));
    try {
      await test(folder);
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  const told = process.env["FORGE_TEST_TOLD"];
  if (told !== undefined) writeFileSync(told, failures.length > 0 ? failures.join("\n") : `${String(Object.keys(TESTS).length)} passed`);
  if (failures.length > 0) throw new Error(failures.join("\n"));
}
