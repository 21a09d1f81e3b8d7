/** The one language server of a window: started, stopped and restarted, one after the other. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import type { Connection, Hooks, Told } from "./connection";
import { findServer } from "./finding";
import type { Key } from "./key";
import { Refusal, unattended } from "./refusal";
import type { State } from "./status";

const MOST_DEATHS = 4;
const DEATHS_WITHIN_MS = 180_000;
const END_TIMEOUT_MS = 3000;
/** RequestFailed and InvalidParams: what the server answers so, it has shown as a message, too. */
const REFUSED: ReadonlySet<unknown> = new Set([-32803, -32602]);

export interface Listener {
  stateChanged(state: State): void;
  told(told: Told): void;
  /** It isn't tried any more, for that reason. */
  gaveUp(why: string): void;
}

export class Server implements vscode.Disposable {
  private child: ChildProcess | undefined;
  private connection: Connection | undefined;
  private turn: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;
  private deaths: number[] = [];

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly key: Key,
    /** The folder of a server that the extension has installed itself. */
    private readonly own: string,
    private readonly middleware: Middleware,
    private readonly listener: Listener,
  ) {}

  /** Start it, or start it anew, after what is under way; who asks while that waits gets the same one. One that hasn't
   *  answered yet isn't waited for. */
  restart(): Promise<void> {
    this.abandon();
    this.waiting ??= this.inTurn(async () => {
      this.waiting = undefined;
      await this.stopNow();
      await this.startNow();
    });
    return this.waiting;
  }

  stop(): Promise<void> {
    this.abandon();
    return this.inTurn(() => this.stopNow());
  }

  /** What a command of the server's answers; raises `Refusal` where it said no. */
  async execute(command: string, given: object): Promise<unknown> {
    return refusing(this.living.execute(command, given));
  }

  /** Start a run, with a notification that can cancel it. */
  async run(command: string, given: object): Promise<unknown> {
    return refusing(this.living.run(command, given));
  }

  /** The text of one of the server's virtual documents. */
  async read(uri: string): Promise<string> {
    return refusing(this.living.read(uri));
  }

  dispose(): void {
    unattended(this.log, () => this.stop());
  }

  private get living(): Connection {
    if (this.connection === undefined) throw new Error("Forge's language server isn't running: restart it, or look into its log.");
    return this.connection;
  }

  /** One that is still being started isn't wanted any more. */
  private abandon(): void {
    if (this.connection !== undefined) return;
    this.child?.kill();
    this.child = undefined;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(work).catch((error: unknown) => {
      this.log.error(String(error));
      this.listener.stateChanged("stopped");
      this.listener.gaveUp("Forge's language server could not be started.");
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
      own: this.own,
      uvxFrom: settings.get("uvxFrom", ""),
    });
    if (found === undefined) {
      this.listener.stateChanged("missing");
      return;
    }
    this.listener.stateChanged("starting");
    this.log.info(`starting ${found.command}`);
    const child = spawn(found.command, [...found.args], { env: await this.environment(), stdio: "pipe" });
    this.child = child;
    try {
      await once(child, "spawn");
      const { connect } = await import("./connection.js");
      this.connection = await connect(child, this.log, this.hooks(child));
      this.listener.stateChanged("running");
    } catch (error) {
      child.kill();
      if (this.child !== child) return;
      this.child = undefined;
      throw error;
    }
  }

  private async environment(): Promise<NodeJS.ProcessEnv> {
    return { ...process.env, ...(await this.key.environment()) };
  }

  private hooks(child: ChildProcess): Hooks {
    return {
      middleware: this.middleware,
      told: (told) => {
        this.listener.told(told);
      },
      ended: () => {
        if (this.child === child) this.died();
      },
    };
  }

  private async stopNow(): Promise<void> {
    const { connection, child } = this;
    this.connection = undefined;
    this.child = undefined;
    await connection?.stop();
    if (child !== undefined) await gone(child);
  }

  private died(): void {
    const now = Date.now();
    this.deaths = [...this.deaths.filter((at) => now - at < DEATHS_WITHIN_MS), now];
    this.listener.stateChanged("stopped");
    if (this.deaths.length <= MOST_DEATHS) {
      unattended(this.log, () => this.restart());
      return;
    }
    this.deaths = [];
    unattended(this.log, () => this.stop());
    this.listener.gaveUp("Forge's language server has died several times.");
  }
}

async function refusing<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && "code" in error && REFUSED.has(error.code)) throw new Refusal(error.message);
    throw error;
  }
}

/** Until the process has ended, which it is made to after a while. */
async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill("SIGKILL"), END_TIMEOUT_MS);
  await once(child, "exit");
  clearTimeout(timer);
}
