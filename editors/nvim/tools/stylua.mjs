// Formats Lua with the StyLua of the npm registry, which has no program of its own there.
//
//     node stylua.mjs <where its package is installed> <--check|--write> <files …>
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [installed, mode, ...files] = process.argv.slice(2);
const stylua = createRequire(join(installed, "package.json"))("@johnnymorganz/stylua");

const options = readFileSync(new URL("../stylua.toml", import.meta.url), "utf8");

function config() {
  const made = stylua.Config.new();
  for (const [, name, value] of options.matchAll(/^(\w+) = "?(\w+)"?$/gm)) {
    made[name] = name === "indent_type" ? stylua.IndentType[value] : Number(value);
  }
  return made;
}

let differing = 0;
for (const file of files) {
  const before = readFileSync(file, "utf8");
  const after = stylua.formatCode(before, config(), undefined, stylua.OutputVerification.None);
  if (before === after) continue;
  if (mode === "--write") {
    writeFileSync(file, after);
  } else {
    console.error(`${file} isn't formatted: ./dev format does it.`);
    differing += 1;
  }
}
process.exit(differing ? 1 : 0);
