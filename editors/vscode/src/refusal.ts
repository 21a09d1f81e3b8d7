/** What went wrong, told once: the server shows the person each of its refusals by itself. */

import type { LogOutputChannel } from "vscode";

/** The server has said no, and has told the person why. */
export class Refusal extends Error {}

/** Work that the person waits for. VS Code shows what it raises, so a refusal goes into the log only. */
export async function toldOnce<T>(log: LogOutputChannel, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    log.info(error.message);
    return undefined;
  }
}

/** Work that nobody waits for. */
export function unattended(log: LogOutputChannel, work: () => PromiseLike<unknown>): void {
  Promise.resolve()
    .then(work)
    .catch((error: unknown) => {
      if (error instanceof Refusal) log.info(error.message);
      else log.error(String(error));
    });
}
