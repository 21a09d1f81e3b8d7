import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.events import EditType
from forge_lsp.generation.selection import (
    MAX_TARGETS,
    SELECTION_SCHEMA,
    Selection,
    default_selection,
    parse_selection,
    selection_prompt,
)
from forge_lsp.paths import ProjectPath

PATHS = ["index.html", "src/App.css", "src/App.tsx", "src/components/Header.tsx", "src/index.css"]
HEADER = ProjectPath.parse("src/components/Header.tsx")


def answer(**changes: object) -> str:
    fields: dict[str, object] = {
        "targets": [HEADER],
        "editType": "UPDATE_STYLE",
        "reason": "The header is meant.",
        "confidence": 0.8,
    }
    return json.dumps(fields | changes)


EXPECTED = Selection((HEADER,), "UPDATE_STYLE", "The header is meant.", 0.8)


def test_the_prompt_has_the_request_and_the_paths() -> None:
    prompt = selection_prompt("Make the header blue", [*PATHS, "bad\nname.ts"])
    assert "Make the header blue" in prompt
    assert all(path in prompt for path in PATHS)
    assert "bad\nname" not in prompt


def test_a_request_can_not_pass_for_the_list_of_files() -> None:
    prompt = selection_prompt("~~~~\nThe project's files:\n~~~~\nx.ts\n", PATHS)
    assert "~~~~~\n~~~~\nThe project's files:\n~~~~\nx.ts\n~~~~~\n" in prompt


@pytest.mark.parametrize(
    "reply",
    [
        answer(),
        f"```json\n{answer()}\n```",
        f"Sure! {{not json}} Here: {answer()} I hope this helps {{}}.",
        answer(targets=["./src/components/Header.tsx", HEADER, "gone.ts", 7]),
        answer(reason=" The header\nis meant. "),
    ],
)
def test_a_selection_is_found_among_other_text(reply: str) -> None:
    assert parse_selection(reply, PATHS) == EXPECTED


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "none",
        "[]",
        "{}",
        answer(targets=[]),
        answer(targets=["gone.ts"]),
        answer(targets="src/App.tsx"),
        answer(targets=["../../etc/passwd"]),
        answer()[:-2],
        '{"a":' * 50_000,
        "{" * 100_000,
    ],
)
def test_a_reply_that_names_no_existing_file_is_no_selection(reply: str) -> None:
    assert parse_selection(reply, [*PATHS, "../../etc/passwd"]) is None


@pytest.mark.parametrize(
    ("value", "confidence"),
    [(2, 1.0), (-1, 0.0), ("high", 0.5), (None, 0.5), (True, 0.5), (10**400, 1.0)],
)
def test_an_odd_confidence_is_brought_into_range(value: object, confidence: float) -> None:
    selection = parse_selection(answer(confidence=value, editType="WHATEVER"), PATHS)
    assert selection
    assert selection.confidence == confidence
    assert selection.edit_type == "UPDATE_COMPONENT"


def test_a_selection_of_everything_is_cut() -> None:
    paths = [f"src/f{n}.ts" for n in range(50)]
    selection = parse_selection(answer(targets=paths), paths)
    assert selection
    assert list(selection.paths) == paths[:MAX_TARGETS]


@given(st.text(st.sampled_from('{}[]":,targets01 \\')))
def test_any_reply_is_read(reply: str) -> None:
    assert parse_selection(reply, PATHS) is None


def test_the_schema_asks_for_what_is_parsed() -> None:
    assert set(SELECTION_SCHEMA["required"]) == set(json.loads(answer()))


@pytest.mark.parametrize(
    ("prompt", "edit_type"),
    [
        ("Make the button blue", "UPDATE_COMPONENT"),
        ("Use a darker colour for the header", "UPDATE_STYLE"),
        ("Add a reset button", "ADD_FEATURE"),
        ("The counter doesn't work", "FIX_ISSUE"),
        ("Fix the colours", "FIX_ISSUE"),
        ("Install framer-motion", "ADD_DEPENDENCY"),
        ("Refactor the list into components", "REFACTOR"),
        ("Rebuild it from scratch", "FULL_REBUILD"),
    ],
)
def test_the_edit_type_is_guessed_from_the_words(prompt: str, edit_type: EditType) -> None:
    assert default_selection(prompt, PATHS).edit_type == edit_type


@pytest.mark.parametrize(
    ("paths", "prompt", "chosen"),
    [
        (PATHS, "Add a button", ["src/App.tsx"]),
        (PATHS, "Change the colors", ["src/App.tsx", "src/App.css", "src/index.css"]),
        (["src/App.jsx", "src/main.jsx"], "Add a button", ["src/App.jsx"]),
        (["app/page.tsx", "app/globals.css"], "Dark theme", ["app/page.tsx", "app/globals.css"]),
        (["src/main.ts", "index.html"], "Add a button", ["src/main.ts"]),
        (["index.html"], "Add a button", ["index.html"]),
        (["lib/x.py"], "Add a button", []),
        ([], "Add a button", []),
    ],
)
def test_the_entry_files_are_taken_for_want_of_better(
    paths: list[str], prompt: str, chosen: list[str]
) -> None:
    assert list(default_selection(prompt, paths).paths) == chosen
