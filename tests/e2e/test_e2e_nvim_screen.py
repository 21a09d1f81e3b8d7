"""The plugin as a person sees it: a Neovim in a terminal, with keys typed and its screen read."""

import json
from pathlib import Path

import pytest
from e2e_home import Home, contents, fill
from e2e_nvim_plugin import INIT
from e2e_projects import COUNTER, counter_project, counter_with_reset
from e2e_screen import Screen, shown
from e2e_tools import LANGUAGE_SERVER, executable, neovim

pytestmark = [pytest.mark.slow]

PACE = "0.01"
"""Seconds for each piece of the model's reply, so that its text is seen to come."""
STATUSLINE = "set laststatus=3 statusline=%f\\ %m%=%{v:lua.require'forge'.status()}"
RESET = "          Reset"
"""The line that is to come into the counter."""


def test_a_person_sees_a_change_come_wait_be_accepted_and_be_undone(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    command = [str(neovim()), "--clean", "-u", str(INIT), "-n", "-c", STATUSLINE, COUNTER]
    settings = {
        "PATH": f"{no_node['PATH']}:{executable('tmux').parent}",
        "LANGUAGE_SERVER": json.dumps(LANGUAGE_SERVER),
        "FORGE_MODEL_DEMO_PACE_S": PACE,
    }
    with shown(command, workspace, plain_home, **settings) as screen:
        screen.wait_for("export default function Counter")
        enter(screen, ":Forge edit")
        screen.wait_for("Forge: change what?")
        enter(screen, "add a reset button")
        screen.wait_for("Forge: editing", f"Writing {COUNTER}")
        screen.wait_for(f"Forge: {COUNTER}", "ready for review", "Forge: 1 change to review")

        enter(screen, ":only")
        waiting = screen.wait_for(RESET, "forge\n")
        assert "[+]" not in waiting
        enter(screen, ":lua require('forge').next_change()")
        enter(screen, ":Forge accept")
        screen.wait_for(RESET, f"{COUNTER} [+]")
        screen.wait_until_gone("forge\n")
        screen.wait_until_gone("to review")
        enter(screen, ":write")
        screen.wait_until_gone("[+]")
        assert contents(workspace)[COUNTER] == counter_with_reset()

        enter(screen, ":Forge undo")
        screen.wait_until_gone(RESET)
        screen.wait_for(f"{COUNTER} [+]")
        enter(screen, ":write")
        screen.wait_until_gone("[+]")
        assert contents(workspace) == counter_project()

        enter(screen, ":checkhealth forge")
        health = screen.wait_for("OK forge-lsp ", "OK Sandbox: ", "WARNING ")
        assert "ERROR" not in health


def enter(screen: Screen, line: str) -> None:
    """Type a line, and the key that ends it."""
    screen.type("-l", line)
    screen.type("Enter")
