/** Addresses of this machine, as whoever looks at VS Code can reach them. */

import * as vscode from "vscode";

/** VS Code in a browser turns an address of this machine into one of its own, and loses path and query on the
 *  way: so only the origin is given to it. A no-op on a desktop. */
export async function reachable(address: string): Promise<vscode.Uri> {
  const whole = vscode.Uri.parse(address, true);
  const origin = whole.with({ path: "/", query: "", fragment: "" });
  const base = await vscode.env.asExternalUri(origin);
  const path = base.path.replace(/\/$/, "") + (whole.path === "" ? "/" : whole.path);
  return base.with({ path, query: whole.query, fragment: whole.fragment });
}

/** Whether it is a page of this machine's, as every local preview is. */
export function isLocal(address: string): boolean {
  const found = URL.canParse(address) ? new URL(address) : undefined;
  if (found === undefined || !/^https?:$/.test(found.protocol)) return false;
  return /^(127\.0\.0\.1|\[::1\]|([a-z0-9_-]+\.)*localhost)$/i.test(found.hostname);
}
