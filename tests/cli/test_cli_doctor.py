"""`forge-lsp doctor`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli_running import run

NEEDED = {
    *("Python", "Node", "npm", "bubblewrap", "libseccomp", "isolation"),
    *("model", "database", "state folder"),
}


def examined(home: Path, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    ended = run(home, "doctor", "--json", more=more)
    return ended.returncode, json.loads(ended.stdout)


def findings(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document["findings"]}


def test_every_finding_says_what_and_what_to_do(tmp_path: Path) -> None:
    code, document = examined(tmp_path)
    found = findings(document)
    assert {name for name, each in found.items() if each["is_needed"]} == NEEDED
    assert {"browser", "template", "model key", "HTTP port"} == found.keys() - NEEDED
    for each in found.values():
        assert each["detail"]
        assert bool(each["remedy"]) is not each["ok"]
    assert document["ok"] is all(each["ok"] for each in found.values() if each["is_needed"])
    assert code == (0 if document["ok"] else 1)


def test_without_node_nothing_can_be_made(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code, document = examined(tmp_path, more={"PATH": str(empty)})
    found = findings(document)
    assert code == 1
    assert document["ok"] is False
    assert not found["Node"]["ok"]
    assert "Node" in found["Node"]["remedy"]


def test_a_key_is_seen_and_never_shown(tmp_path: Path) -> None:
    ended = run(tmp_path, "doctor", more={"ANTHROPIC_API_KEY": "sk-secret-of-a-test"})
    assert "a key is set" in ended.stdout
    assert "secret" not in ended.stdout + ended.stderr
    assert "demo model" not in ended.stdout


def test_without_a_key_it_says_that_the_demo_model_answers(tmp_path: Path) -> None:
    _, document = examined(tmp_path)
    found = findings(document)
    assert found["model"]["ok"]
    assert "demo" in found["model"]["detail"]
    assert "ANTHROPIC_API_KEY" in found["model key"]["remedy"]


def test_a_state_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where the folder should be")
    code, document = examined(home)
    found = findings(document)
    assert code == 1
    assert not found["state folder"]["ok"]
    assert os.fspath(home) in found["state folder"]["detail"]
    assert not found["database"]["ok"]
