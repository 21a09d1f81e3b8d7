"""What plugins are written against, held to what the server really sends and takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_running import run
from jsonschema import Draft202012Validator

from forge_lsp import events
from forge_lsp.loading import WORKSPACE_MAY_SET
from forge_lsp.lsp.commands import COMMANDS


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    printed: str = run(tmp_path_factory.mktemp("home"), "schema").stdout
    return json.loads(printed)


def test_the_schema_is_one_and_has_every_command(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]["commands"]["properties"]) == list(COMMANDS)


@pytest.mark.parametrize(
    "event",
    [
        events.RunStarted("edit", "add a button"),
        events.FileStarted("src/App.tsx", "edit"),
        events.FileFinished("src/App.tsx", None),
        events.RunFinished("cancelled"),
    ],
)
def test_events_are_as_the_schema_says(schema: dict[str, Any], event: events.Event) -> None:
    fields = json.loads(events.encode(event))
    checker = Draft202012Validator({**schema["properties"]["event"], "$defs": schema["$defs"]})
    assert list(checker.iter_errors(fields)) == []
    assert list(checker.iter_errors({**fields, "type": "nothing_known"}))


@pytest.mark.parametrize(
    ("name", "known"),
    [("COMMANDS", list(COMMANDS)), ("WORKSPACE_MAY_SET", sorted(WORKSPACE_MAY_SET))],
)
def test_what_is_generated_names_every_command_and_what_a_workspace_may_set(
    name: str, known: list[str]
) -> None:
    generated = Path(__file__).parents[2] / "editors/vscode/src/generated.ts"
    text = generated.read_text().partition(f"export const {name} = ")[2]
    assert json.loads(text.partition(" as const")[0]) == known
