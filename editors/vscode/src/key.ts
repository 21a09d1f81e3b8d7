/** The API key, kept by VS Code's secret storage and given to the server in its environment only. */

import * as vscode from "vscode";

const NAME = "anthropic-api-key";

export class Key {
  constructor(private readonly secrets: vscode.SecretStorage) {}

  /** It was given or forgotten, in this window or in another. */
  onDidChange(listener: () => void): vscode.Disposable {
    return this.secrets.onDidChange(({ key }) => {
      if (key === NAME) listener();
    });
  }

  /** The variables that the server gets beside VS Code's own. */
  async environment(): Promise<Record<string, string>> {
    const key = await this.secrets.get(NAME);
    return key === undefined ? {} : { ANTHROPIC_API_KEY: key };
  }

  /** Whether somebody other than the demo model will answer, as far as can be seen from here. */
  async isThere(): Promise<boolean> {
    const settings = vscode.workspace.getConfiguration("forge");
    return (
      (await this.secrets.get(NAME)) !== undefined ||
      Boolean(process.env["ANTHROPIC_API_KEY"] ?? process.env["ANTHROPIC_BASE_URL"]) ||
      Boolean(settings.get<string | null>("model.base_url"))
    );
  }

  /** Ask for it; the change tells of one that was given. */
  async ask(): Promise<void> {
    const given = await vscode.window.showInputBox({
      title: "Forge: the API key of Anthropic",
      placeHolder: "sk-ant-…",
      prompt: "It is kept in VS Code's secret storage, and given to the language server alone.",
      password: true,
      ignoreFocusOut: true,
    });
    if (given?.trim()) await this.secrets.store(NAME, given.trim());
  }

  async forget(): Promise<void> {
    await this.secrets.delete(NAME);
  }
}
