/** Bundles the extension: the part that is loaded at once, and the connection, which comes later. */

import { readFile } from "node:fs/promises";
import { build } from "esbuild";

/** For each file that imports VS Code's API as a whole esbuild copies all of it, name by name, which takes most of the
 *  activation. Required it is the same object everywhere. */
const oneApi = {
  name: "one API",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]src[/\\][^/\\]+\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return { loader: "ts", contents: source.replace('import * as vscode from "vscode"', 'import vscode = require("vscode")') };
    });
  },
};

await build({
  entryPoints: ["src/extension.ts", "src/connection.ts"],
  outdir: "dist",
  bundle: true,
  minify: true,
  platform: "node",
  format: "cjs",
  target: "node18",
  external: ["vscode", "./connection.js"],
  supported: { "dynamic-import": false },
  plugins: [oneApi],
  logLevel: "warning",
});
