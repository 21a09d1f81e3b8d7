/** The preview in a panel beside the code. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { reachable } from "./addresses";
import { unattended } from "./refusal";

export class Preview implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private address = "";

  constructor(private readonly log: vscode.LogOutputChannel) {}

  /** Show the page at `address`; the one panel is used again. */
  async show(address: string): Promise<void> {
    this.address = address;
    const page = await reachable(address);
    const panel = this.panel ?? this.open();
    panel.webview.html = html(page);
    panel.reveal(undefined, true);
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private open(): vscode.WebviewPanel {
    const place = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const options = { enableScripts: true, retainContextWhenHidden: true, localResourceRoots: [] };
    const panel = vscode.window.createWebviewPanel("forge.preview", "Forge: preview", place, options);
    panel.onDidDispose(() => (this.panel = undefined));
    panel.webview.onDidReceiveMessage((message: unknown) => {
      if (message === "outside") unattended(this.log, () => openOutside(this.address));
    });
    this.panel = panel;
    return panel;
  }
}

/** Show a page in the person's browser. */
export async function openOutside(address: string): Promise<boolean> {
  return vscode.env.openExternal(await reachable(address));
}

/** The page's origin as a policy may name it: a host in there can't hold the underscore of a sandbox's name. */
function source({ protocol, host }: URL): string {
  return `${protocol}//${host.replace(/^[^.]*_[^.]*\./, "*.")}`;
}

function html(page: vscode.Uri): string {
  const address = new URL(page.toString(true));
  const nonce = randomBytes(16).toString("hex");
  const policy = `default-src 'none'; frame-src ${source(address)}; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  const shown = address.href.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Preview</title>
<style nonce="${nonce}">
  html, body { height: 100%; margin: 0; padding: 0; display: flex; flex-direction: column; }
  nav { display: flex; gap: 4px; padding: 4px; align-items: center; font-family: var(--vscode-font-family); }
  button { color: var(--vscode-button-secondaryForeground); background: var(--vscode-button-secondaryBackground);
    border: 0; border-radius: 2px; padding: 3px 8px; cursor: pointer; flex: none; }
  span { color: var(--vscode-descriptionForeground); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  iframe { flex: 1; border: 0; background: white; }
</style>
</head>
<body>
<nav><button id="reload">Reload</button><button id="outside">Open outside</button><span>${shown}</span></nav>
<iframe id="page" title="The app" src="${shown}" sandbox="allow-scripts allow-same-origin allow-forms allow-modals allow-popups"></iframe>
<script nonce="${nonce}">
  const host = acquireVsCodeApi();
  const page = document.getElementById("page");
  document.getElementById("reload").addEventListener("click", () => { page.src = page.src; });
  document.getElementById("outside").addEventListener("click", () => host.postMessage("outside"));
</script>
</body>
</html>`;
}
