// usage: forge-lsp schema | node scripts/generate.mjs > src/generated.ts
import { text } from "node:stream/consumers";
import { compile } from "json-schema-to-typescript";

const schema = JSON.parse(await text(process.stdin));
const commands = Object.keys(schema.properties.commands.properties);
const allowed = schema.properties.workspaceMaySet.items.enum;
const banner = "/* Made by ./dev generate from `forge-lsp schema`; not to be edited. */";
const types = await compile(schema, "Forge", { bannerComment: banner, additionalProperties: false, unreachableDefinitions: true });
process.stdout.write(`${types}
export type Event = Forge["event"];

export const COMMANDS = ${JSON.stringify(commands, null, 2)} as const;

export const WORKSPACE_MAY_SET = ${JSON.stringify(allowed, null, 2)} as const;
`);
