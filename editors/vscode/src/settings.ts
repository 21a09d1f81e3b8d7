/** The settings that the server is sent: a workspace may choose models, nothing else. */

const WORKSPACE_MAY_SET = new Set([
  "model.code",
  "model.select",
  "model.plan",
  "model.review",
  "model.augment",
  "model.skill",
  "model.summarise",
  "model.effort",
  "model.max_output_tokens",
  "generation.context_tokens",
  "generation.recent_messages",
  "generation.by_hand_tokens",
  "generation.max_continuations",
]);

type Tree = Record<string, unknown>;

/** What VS Code knows of a section: by whom each value was set. */
export interface Inspected {
  readonly defaultValue?: unknown;
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

/** The groups of settings, nearer over farther. VS Code lets a workspace set what isn't declared, too, so what
 *  came from one is sifted here. */
export function serverSettings(inspected: Inspected | undefined): Tree {
  const layers = [
    asTree(inspected?.defaultValue),
    asTree(inspected?.globalValue),
    sifted(asTree(inspected?.workspaceValue)),
    sifted(asTree(inspected?.workspaceFolderValue)),
  ];
  const merged: Record<string, Tree> = {};
  for (const layer of layers) {
    for (const [group, values] of Object.entries(layer)) {
      if (isTree(values)) merged[group] = { ...merged[group], ...values };
    }
  }
  return merged;
}

function sifted(layer: Tree): Tree {
  const groups = Object.entries(layer).flatMap(([group, values]) => {
    const allowed = Object.entries(asTree(values)).filter(([name]) => WORKSPACE_MAY_SET.has(`${group}.${name}`));
    return allowed.length > 0 ? [[group, Object.fromEntries(allowed)] as const] : [];
  });
  return Object.fromEntries(groups);
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asTree(value: unknown): Tree {
  return isTree(value) ? value : {};
}
