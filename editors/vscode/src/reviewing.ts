/** A pending change as VS Code's own multi-file diff. */

import * as vscode from "vscode";
import type { Review, ReviewedFile } from "./asking";

const SCHEME = "forge-review";
const TITLE = "Forge: review";

/** Gives the text of one of the server's `forge:` documents. */
export type Read = (uri: string) => Promise<string>;

/** Both sides of a file have the same path here, the server's document is the query: what differs in its path is
 *  shown as renamed. */
export class Reviews implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration: vscode.Disposable;

  readonly onDidChange = this.changed.event;

  constructor(private readonly read: Read) {
    this.registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    return this.read(uri.query);
  }

  /** Open the diff; a file that isn't text is left to its lens. */
  async show(review: Review): Promise<void> {
    const resources = await Promise.all(review.files.map((file) => this.sides(file)));
    await vscode.commands.executeCommand("setContext", "forge.reviewing", true);
    await vscode.commands.executeCommand("vscode.changes", TITLE, resources);
  }

  /** Something was decided; with nothing left to decide the diff is closed. */
  async decided(isOver: boolean): Promise<void> {
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === SCHEME) this.changed.fire(uri);
    }
    if (!isOver) return;
    await vscode.commands.executeCommand("setContext", "forge.reviewing", false);
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    await vscode.window.tabGroups.close(
      tabs.filter((tab) => tab.label.startsWith(TITLE)),
      true,
    );
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }

  private async sides({ path, uri, beforeUri, afterUri }: ReviewedFile): Promise<(vscode.Uri | undefined)[]> {
    const side = async (document: string | null): Promise<vscode.Uri | undefined> =>
      document !== null && (await this.read(document)) !== ""
        ? vscode.Uri.from({ scheme: SCHEME, path: `/${path}`, query: document })
        : undefined;
    return [vscode.Uri.parse(uri), await side(beforeUri), await side(afterUri)];
  }
}
