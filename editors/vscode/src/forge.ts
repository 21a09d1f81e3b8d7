/** One window's Forge: puts the parts together. */

import { join } from "node:path";
import * as vscode from "vscode";
import { Commands } from "./commands";
import type { Told } from "./connection";
import { offerInstall } from "./installing";
import { Key } from "./key";
import { Live } from "./live";
import { showMenu } from "./menu";
import { middleware } from "./middleware";
import { Preview } from "./preview";
import { Problems } from "./problems";
import { unattended } from "./refusal";
import { Reviews } from "./reviewing";
import { Runs } from "./runs";
import { Saving } from "./saving";
import { type Listener, Server } from "./server";
import { fingerprint } from "./settings";
import { type Shown, type State, StatusItem, Tally } from "./status";

const DEMO_MODEL = "forge-demo";

export class Forge implements vscode.Disposable, Listener {
  readonly server: Server;
  private readonly key: Key;
  private readonly live: Live;
  private readonly runs: Runs;
  private readonly problems: Problems;
  private readonly status: StatusItem;
  private readonly tally = new Tally();
  private readonly own: string;
  private readonly subscriptions: readonly { dispose(): unknown }[];
  private state: State = "starting";
  private hasKey = true;
  /** The settings with which the server was started. */
  private settings = "";

  constructor(
    { globalStorageUri, secrets }: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.own = join(globalStorageUri.fsPath, "server");
    this.key = new Key(secrets);
    this.live = new Live(log);
    this.problems = new Problems(() => {
      this.status.drawSoon();
    });
    this.status = new StatusItem(() => this.seen);
    const preview = new Preview(log);
    const saving = new Saving(log);
    const behaviour = middleware(() => commands, preview, saving);
    this.server = new Server(log, this.key, this.own, behaviour, this);
    const reviews = new Reviews(log, (uri) => this.server.read(uri));
    this.runs = new Runs(log, (command, given) => this.server.execute(command, given), reviews, saving);
    const commands = new Commands(log, this.server, reviews, this.runs);
    this.subscriptions = [
      this.live,
      this.problems,
      this.status,
      preview,
      reviews,
      this.server,
      ...this.registered(commands),
      ...this.listening(),
    ];
  }

  async restart(): Promise<void> {
    this.hasKey = await this.key.isThere();
    this.settings = fingerprint();
    await this.server.restart();
  }

  stateChanged(state: State): void {
    this.state = state;
    if (state !== "running") {
      this.tally.clear();
      this.live.clear();
      this.runs.clear();
    }
    this.status.draw();
    if (state === "missing") this.offer();
  }

  told({ runId, event }: Told): void {
    const wasWriting = this.tally.isWriting;
    this.tally.take(runId, event);
    this.live.take(runId, event);
    this.runs.take(runId, event);
    if (this.tally.isWriting === wasWriting) this.status.drawSoon();
    else this.status.draw();
    // A key may be where only the server looks: who has answered tells.
    if (event.type === "usage") this.hasKey = event.model !== DEMO_MODEL;
    if (event.type === "run_finished") this.settingsChanged();
  }

  gaveUp(why: string): void {
    unattended(this.log, async () => {
      const [again, show] = ["Start It Again", "Show the Log"];
      const picked = await vscode.window.showErrorMessage(why, again, show);
      if (picked === again) await this.restart();
      if (picked === show) this.log.show();
    });
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
  }

  private get seen(): Shown {
    const { state, hasKey, tally } = this;
    return { state, hasKey, errors: this.problems.errors, isWriting: tally.isWriting, tokens: tally.tokens };
  }

  private registered(commands: Commands): vscode.Disposable[] {
    const own: Record<string, () => unknown> = {
      "forge.acceptAll": () => commands.decideAll("forge.review.accept"),
      "forge.rejectAll": () => commands.decideAll("forge.review.reject"),
      "forge.editSelection": () => commands.editSelection(),
      "forge.critiqueSelection": () => commands.critiqueSelection(),
      "forge.menu": () => showMenu(this.seen),
      "forge.install": () => offerInstall(this.log, this.own),
      "forge.setKey": () => this.key.ask(),
      "forge.removeKey": () => this.key.forget(),
      "forge.restart": () => this.restart(),
      "forge.showLog": () => {
        this.log.show();
      },
    };
    return Object.entries(own).map(([id, work]) => vscode.commands.registerCommand(id, work));
  }

  private listening(): vscode.Disposable[] {
    const restart = (): void => {
      unattended(this.log, () => this.restart());
    };
    return [
      this.key.onDidChange(restart),
      vscode.workspace.onDidGrantWorkspaceTrust(restart),
      vscode.workspace.onDidChangeWorkspaceFolders(() => {
        if (this.state === "missing") restart();
      }),
      vscode.workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration("forge")) this.settingsChanged();
      }),
      vscode.window.onDidChangeWindowState(({ focused }) => {
        if (focused && this.state === "running") unattended(this.log, () => this.runs.look());
      }),
    ];
  }

  /** The server takes its settings over at its start, which waits until nothing is under way. */
  private settingsChanged(): void {
    if (this.tally.isWriting || fingerprint() === this.settings) return;
    unattended(this.log, () => this.restart());
  }

  private offer(): void {
    unattended(this.log, () => offerInstall(this.log, this.own));
  }
}
