/** Forge in VS Code: puts the parts together. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { isLocal } from "./addresses";
import { type Given, type Review, ask, wholeArguments } from "./asking";
import { Key } from "./key";
import { Live } from "./live";
import { Preview, openOutside } from "./preview";
import { LONG } from "./progress";
import { Reviews } from "./reviewing";
import { Runs } from "./runs";
import { Server } from "./server";
import { serverSettings } from "./settings";
import { StatusItem, Tally } from "./status";

const INSTALL = "uv tool install .";
const STATES_THAT_NEED_HELP = new Set(["missing", "stopped", "untrusted"]);

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Forge", { log: true });
  const key = new Key(context.secrets);
  const tally = new Tally();
  const status = new StatusItem(tally);
  const live = new Live();
  const preview = new Preview();
  let state = "starting";

  const execute: Execute = (command, given) => running.execute(command, given);
  const runLong: Execute = (command, given) => running.run(command, given);
  const reviews: Reviews = new Reviews((uri) => running.read(uri));
  const runs: Runs = new Runs(execute, reviews);
  const running: Server = new Server(log, key, middleware(execute, runLong, preview, reviews, () => runs), {
    stateChanged(now) {
      state = now;
      status.set(now);
      if (now === "missing") void offerInstall();
    },
    told({ runId, event }) {
      tally.take(runId, event);
      status.draw();
      if (vscode.workspace.getConfiguration("forge").get<boolean>("liveText")) live.take(runId, event);
      runs.take(runId, event);
    },
  });
  server = running;

  const restart = async (): Promise<void> => {
    status.setKey(await key.isThere());
    await running.restart();
  };
  const commands: Record<string, () => unknown> = {
    "forge.restart": restart,
    "forge.showLog": () => {
      log.show();
    },
    "forge.setKey": async () => (await key.ask()) && restart(),
    "forge.removeKey": async () => {
      await key.forget();
      await restart();
    },
    "forge.acceptAll": () => decideAll("forge.review.accept", execute, runs),
    "forge.rejectAll": () => decideAll("forge.review.reject", execute, runs),
    "forge.editSelection": () => editSelection(runLong),
    "forge.menu": async () => {
      if (STATES_THAT_NEED_HELP.has(state)) await offerHelp(state);
      else await menu(tally.isWriting);
    },
  };
  context.subscriptions.push(
    log,
    status,
    live,
    preview,
    reviews,
    running,
    ...Object.entries(commands).map(([id, work]) => vscode.commands.registerCommand(id, work)),
    vscode.workspace.onDidGrantWorkspaceTrust(restart),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration("forge.path") || change.affectsConfiguration("forge.uvxFrom") || change.affectsConfiguration("forge.model")) await restart();
    }),
  );
  await restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

type Execute = (command: string, given: object) => Promise<unknown>;

function middleware(execute: Execute, runLong: Execute, preview: Preview, reviews: Reviews, getRuns: () => Runs): Middleware {
  return {
    async executeCommand(command: string, sent: unknown[], next) {
      const given = await wholeArguments(command, sent, execute);
      if (given === undefined) return undefined;
      const answer: unknown = LONG.has(command) ? await runLong(command, given) : await next(command, [given]);
      getRuns().started(answer, given);
      if (command === "forge.review.diff") await reviews.show(answer as Review);
      return answer;
    },
    workspace: {
      configuration: (params, token, next) =>
        params.items.every((item) => item.section === "forge")
          ? params.items.map((item) => settingsOf(item.scopeUri))
          : next(params, token),
    },
    window: {
      async showDocument(params, token, next) {
        if (params.external !== true || !isLocal(params.uri)) {
          const shown = await next(params, token);
          return "success" in shown ? shown : { success: false };
        }
        const place = vscode.workspace.getConfiguration("forge").get<string>("preview");
        if (place === "browser") return { success: await openOutside(params.uri) };
        await preview.show(params.uri);
        return { success: true };
      },
    },
  };
}

async function decideAll(command: string, execute: Execute, runs: Runs): Promise<void> {
  const given = runs.newest;
  runs.started(await execute(command, given), given);
}

function settingsOf(scope: string | undefined): Given {
  const uri = scope === undefined ? undefined : vscode.Uri.parse(scope);
  return serverSettings(vscode.workspace.getConfiguration(undefined, uri).inspect("forge"));
}

async function editSelection(runLong: Execute): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) return;
  const { document, selection } = editor;
  const prompt = await ask("Forge: what shall be changed in the selection?", "make it shorter");
  if (prompt === undefined) return;
  const { start, end } = selection;
  const range = {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
  await runLong("forge.edit", { prompt, textDocument: { uri: document.uri.toString() }, range });
}

async function menu(isWriting: boolean): Promise<void> {
  const items: (vscode.QuickPickItem & { readonly command: string })[] = [
    ...(isWriting ? [{ label: "$(stop) Cancel the run", command: "forge.cancel" }] : []),
    { label: "$(sparkle) Generate…", command: "forge.generate" },
    { label: "$(edit) Edit…", command: "forge.edit" },
    { label: "$(rocket) Build a whole app…", command: "forge.build" },
    { label: "$(diff-multiple) Review the change", command: "forge.review.diff" },
    { label: "$(check-all) Accept…", command: "forge.review.accept" },
    { label: "$(open-preview) Show the preview", command: "forge.sandbox.open" },
    { label: "$(discard) Undo the last accept", command: "forge.undo" },
    { label: "$(history) Go back to an earlier change…", command: "forge.restore" },
    { label: "$(key) Set the API key…", command: "forge.setKey" },
    { label: "$(info) What stands ready", command: "forge.status" },
    { label: "$(output) Show the log", command: "forge.showLog" },
    { label: "$(debug-restart) Restart the language server", command: "forge.restart" },
  ];
  const picked = await vscode.window.showQuickPick(items, { title: "Forge" });
  if (picked !== undefined) await vscode.commands.executeCommand(picked.command);
}

async function offerHelp(state: string): Promise<void> {
  if (state === "missing") await offerInstall();
  else await vscode.commands.executeCommand(state === "untrusted" ? "workbench.trust.manage" : "forge.restart");
}

async function offerInstall(): Promise<void> {
  const [copy, choose, again] = ["Copy the command", "Choose forge-lsp…", "Look again"];
  const picked = await vscode.window.showWarningMessage(
    `Forge needs the language server forge-lsp, which isn't in .venv or on the PATH. In a clone of its repository: ${INSTALL}`,
    copy,
    choose,
    again,
  );
  if (picked === copy) await vscode.env.clipboard.writeText(INSTALL);
  if (picked === again) await vscode.commands.executeCommand("forge.restart");
  if (picked !== choose) return;
  const [place] = (await vscode.window.showOpenDialog({ title: "Where is forge-lsp?" })) ?? [];
  if (place !== undefined) await vscode.workspace.getConfiguration("forge").update("path", place.fsPath, true);
}
