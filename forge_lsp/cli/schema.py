"""What editors' plugins are written against, as JSON Schema: made from the types themselves."""

from collections.abc import Mapping
from typing import Any

import msgspec

from forge_lsp import events
from forge_lsp.loading import WORKSPACE_MAY_SET
from forge_lsp.lsp.commands import COMMANDS
from forge_lsp.paths import ProjectPath

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Mapping[str, Any]:
    """An object whose `event` is what `forge/event` sends, whose `commands` are what each
    command takes, by its id, and whose `workspaceMaySet` names settings that an editor may take
    from a workspace's own files."""
    kinds = list(dict.fromkeys(command.arguments for command in COMMANDS.values()))
    (event, *arguments), components = msgspec.json.schema_components(
        [events.Event, *kinds], schema_hook=_plain, ref_template="#/$defs/{name}"
    )
    of_kind = dict(zip(kinds, arguments, strict=True))
    commands = {name: of_kind[command.arguments] for name, command in COMMANDS.items()}
    return {
        "$schema": DIALECT,
        "title": "Forge",
        "type": "object",
        "properties": {
            "event": event,
            "commands": {
                "type": "object",
                "properties": commands,
                "required": list(commands),
                "additionalProperties": False,
            },
            "workspaceMaySet": {"type": "array", "items": {"enum": sorted(WORKSPACE_MAY_SET)}},
        },
        "required": ["event", "commands", "workspaceMaySet"],
        "additionalProperties": False,
        "$defs": components,
    }


def _plain(kind: type) -> dict[str, Any]:
    if issubclass(kind, ProjectPath):
        return {"type": "string"}
    raise NotImplementedError
