/** The connection to one language server, from its start to its end. A bundle of its own, which is loaded late: the
 *  client's library is most of what the extension weighs. */

import type { ChildProcess } from "node:child_process";
import type { LogOutputChannel } from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
  State,
} from "vscode-languageclient/node";
import type { Event } from "./generated";
import { runShown } from "./progress";

const STOP_TIMEOUT_MS = 3000;

/** A notification `forge/event`. */
export interface Told {
  readonly runId: string;
  readonly seq: number;
  readonly event: Event;
}

export interface Connection {
  /** What a command of the server's answers. */
  execute(command: string, given: object): Promise<unknown>;
  /** The same with a notification that can cancel what the command starts. */
  run(command: string, given: object): Promise<unknown>;
  /** The text of one of the server's virtual documents. */
  read(uri: string): Promise<string>;
  /** Never raises; the server may be gone already. */
  stop(): Promise<void>;
}

export interface Hooks {
  readonly middleware: Middleware;
  told(told: Told): void;
  /** The server has ended without being asked to. */
  ended(): void;
}

/** Begin to talk with the server that `child` is; raises where it doesn't answer. */
export async function connect(child: ChildProcess, log: LogOutputChannel, hooks: Hooks): Promise<Connection> {
  const client = new QuietClient("forge", "Forge", () => Promise.resolve(child), options(log, hooks.middleware));
  client.onNotification("forge/event", (told: Told) => {
    hooks.told(told);
  });
  await client.start();
  let isStopping = false;
  client.onDidChangeState(({ newState }) => {
    if (newState === State.Stopped && !isStopping) hooks.ended();
  });
  if (client.state !== State.Running) throw new Error("The language server has ended at once.");
  return {
    execute: (command, given) => client.sendRequest("workspace/executeCommand", { command, arguments: [given] }),
    run: (command, given) => runShown(client, command, given),
    read: async (uri) => (await client.sendRequest<{ text: string }>("workspace/textDocumentContent", { uri })).text,
    async stop() {
      isStopping = true;
      await client.dispose(STOP_TIMEOUT_MS).catch((error: unknown) => {
        log.warn(`the language server didn't stop: ${String(error)}`);
      });
    },
  };
}

/** What goes wrong with the connection itself is told by who owns the server, in words for people. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

function options(log: LogOutputChannel, middleware: Middleware): LanguageClientOptions {
  return {
    documentSelector: [{ scheme: "file" }],
    initializationOptions: { events: true, showsReviews: true },
    outputChannel: log,
    middleware,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      // Who owns the server starts it anew, in its turn.
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true, message: "The language server has ended." }),
    },
    initializationFailedHandler: () => false,
  };
}
