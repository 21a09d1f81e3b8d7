/** The one language server of a window: started, stopped and restarted, one after the other. */

import { type ChildProcess, spawn } from "node:child_process";
import * as vscode from "vscode";
import {
  CloseAction,
  type ErrorHandler,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  State as ClientState,
} from "vscode-languageclient/node";
import { type Found, findServer } from "./finding";
import type { Event } from "./generated";
import type { Key } from "./key";
import { runShown } from "./progress";
import type { State } from "./status";

const MOST_RESTARTS = 4;
const RESTARTS_WITHIN_MS = 180_000;
const STOP_TIMEOUT_MS = 3000;

/** A notification `forge/event`. */
export interface Told {
  readonly runId: string;
  readonly seq: number;
  readonly event: Event;
}

export interface Listener {
  stateChanged(state: State): void;
  told(told: Told): void;
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly key: Key,
    private readonly middleware: Middleware,
    private readonly listener: Listener,
  ) {}

  /** Start it, or start it anew: those who ask meanwhile wait for their turn. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.stopNow();
      await this.startNow();
    });
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopNow());
  }

  /** What a command of the server's answers; raises what the server said. */
  async execute(command: string, given: object): Promise<unknown> {
    if (this.client === undefined) throw new Error("The language server isn't running.");
    return this.client.sendRequest("workspace/executeCommand", { command, arguments: [given] });
  }

  /** The text of one of the server's virtual documents. */
  async read(uri: string): Promise<string> {
    if (this.client === undefined) throw new Error("The language server isn't running.");
    const { text } = await this.client.sendRequest<{ text: string }>("workspace/textDocumentContent", { uri });
    return text;
  }

  /** Start a run, with a notification that can cancel it. */
  async run(command: string, given: object): Promise<unknown> {
    if (this.client === undefined) throw new Error("The language server isn't running.");
    return runShown(this.client, command, given);
  }

  dispose(): void {
    void this.stop();
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work).catch((error: unknown) => {
      this.log.error(String(error));
      this.listener.stateChanged("stopped");
    });
    return this.turn;
  }

  private async startNow(): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      this.listener.stateChanged("untrusted");
      return;
    }
    const settings = vscode.workspace.getConfiguration("forge");
    const found = findServer({
      chosen: settings.get("path", ""),
      folders: (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath),
      path: process.env["PATH"] ?? "",
      uvxFrom: settings.get("uvxFrom", ""),
    });
    if (found === undefined) {
      this.listener.stateChanged("missing");
      return;
    }
    this.listener.stateChanged("starting");
    this.log.info(`starting ${found.command}`);
    const client = new LanguageClient("forge", "Forge", () => this.spawned(found), this.options());
    client.onNotification("forge/event", (told: Told) => {
      this.listener.told(told);
    });
    client.onDidChangeState(({ newState }) => {
      if (newState === ClientState.Running) this.listener.stateChanged("running");
      if (newState === ClientState.Starting) this.listener.stateChanged("starting");
      if (newState === ClientState.Stopped) this.listener.stateChanged("stopped");
    });
    this.client = client;
    await client.start();
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose(STOP_TIMEOUT_MS);
  }

  private async spawned(found: Found): Promise<ChildProcess> {
    const env = { ...process.env, ...(await this.key.environment()) };
    return spawn(found.command, [...found.args], { env, stdio: "pipe" });
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: "file" }],
      initializationOptions: { events: true },
      outputChannel: this.log,
      middleware: this.middleware,
      errorHandler: restarting(this.log),
      initializationFailedHandler: () => false,
    };
  }
}

/** A server that dies is started again, unless it dies all the time. */
function restarting(log: vscode.LogOutputChannel): ErrorHandler {
  let deaths: number[] = [];
  return {
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: () => {
      const now = Date.now();
      deaths = [...deaths.filter((at) => now - at < RESTARTS_WITHIN_MS), now];
      log.warn("the language server has ended unexpectedly");
      if (deaths.length <= MOST_RESTARTS) return { action: CloseAction.Restart, handled: true };
      return { action: CloseAction.DoNotRestart, message: "Forge's language server died several times. See its log." };
    },
  };
}
