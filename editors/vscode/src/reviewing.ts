/** A pending change as VS Code's own multi-file diff. */

import * as vscode from "vscode";
import type { Given } from "./asking";
import type { Review, ReviewedFile } from "./choosing";
import { unattended } from "./refusal";

const SCHEME = "forge-review";
const TITLE = "Forge: review";

/** Gives the text of one of the server's `forge:` documents. */
export type Read = (uri: string) => Promise<string>;

/** Both sides of a file have the same path here, the server's document is the query: what differs in its path is
 *  shown as renamed. */
export class Reviews implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly subscriptions: readonly { dispose(): unknown }[];
  private open: Given | undefined;
  /** Its tab has come, so that a diff without one is closed. */
  private isSeen = false;

  readonly onDidChange = this.changed.event;

  constructor(
    log: vscode.LogOutputChannel,
    private readonly read: Read,
  ) {
    this.subscriptions = [
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs(() => {
        unattended(log, () => this.tabsChanged());
      }),
    ];
  }

  /** What the open diff is of, and where: arguments for the server's commands. */
  get shown(): Given | undefined {
    return this.open;
  }

  provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    return this.read(uri.query);
  }

  /** Open the diff in the place of another; a file that isn't text is left to its lens. */
  async show({ changeSetId, files }: Review, place: Given): Promise<void> {
    const sides = await Promise.all(files.map((file) => this.sides(file)));
    await this.close();
    this.open = { ...place, changeSetId };
    this.isSeen = false;
    const resources = sides.filter(([, before, after]) => before !== undefined || after !== undefined);
    await vscode.commands.executeCommand("vscode.changes", TITLE, resources);
  }

  /** Something was decided, so what is shown may be another now. */
  refresh(): void {
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === SCHEME) this.changed.fire(uri);
    }
  }

  async close(): Promise<void> {
    this.open = undefined;
    await vscode.window.tabGroups.close(diffTabs(), true);
  }

  dispose(): void {
    for (const each of this.subscriptions) each.dispose();
  }

  private async tabsChanged(): Promise<void> {
    const tabs = diffTabs();
    if (tabs.length > 0) this.isSeen = true;
    else if (this.isSeen) this.open = undefined;
    // The buttons belong to our diff alone, and not to that of a source control.
    await vscode.commands.executeCommand("setContext", "forge.reviewing", tabs.some((tab) => tab.isActive));
  }

  private async sides({ path, uri, beforeUri, afterUri }: ReviewedFile): Promise<(vscode.Uri | undefined)[]> {
    const side = async (document: string | null): Promise<vscode.Uri | undefined> =>
      document !== null && (await this.read(document)) !== ""
        ? vscode.Uri.from({ scheme: SCHEME, path: `/${path}`, query: document })
        : undefined;
    return [vscode.Uri.parse(uri), await side(beforeUri), await side(afterUri)];
  }
}

function diffTabs(): vscode.Tab[] {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.filter(({ label, input }) => label.startsWith(TITLE) && !(input instanceof vscode.TabInputText));
}
