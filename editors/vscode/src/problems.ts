/** How many errors of the previews are marked in the window's files. */

import * as vscode from "vscode";

export class Problems implements vscode.Disposable {
  private readonly errorsOf = new Map<string, number>();
  private readonly subscription: vscode.Disposable;

  constructor(changed: () => void) {
    this.subscription = vscode.languages.onDidChangeDiagnostics(({ uris }) => {
      const before = this.errors;
      for (const uri of uris) this.count(uri);
      if (this.errors !== before) changed();
    });
  }

  get errors(): number {
    return [...this.errorsOf.values()].reduce((sum, each) => sum + each, 0);
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private count(uri: vscode.Uri): void {
    const errors = vscode.languages
      .getDiagnostics(uri)
      .filter(({ source, severity }) => source === "forge" && severity === vscode.DiagnosticSeverity.Error);
    if (errors.length > 0) this.errorsOf.set(uri.toString(), errors.length);
    else this.errorsOf.delete(uri.toString());
  }
}
