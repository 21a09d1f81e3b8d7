"""The plugin where runs are cancelled and servers die: nothing is left behind, and the next
command or the next file goes on."""

from pathlib import Path

import pytest
from e2e_home import Home, contents, fill
from e2e_nvim import Neovim
from e2e_nvim_plugin import CLIENTS, HUNKS, LIVE, do, plugged
from e2e_projects import COUNTER, counter_project

pytestmark = [pytest.mark.slow]

SLOW = "0.005"
"""Seconds for each piece of the model's reply: a generation takes some seconds."""
STATUS = "require('forge').status()"


def test_a_run_is_ended_by_a_key_and_what_a_server_that_died_had_is_taken_up_by_the_next(
    workspace: Path, plain_home: Home, no_node: dict[str, str]
) -> None:
    fill(workspace, counter_project())
    settings = {**no_node, "FORGE_MODEL_DEMO_PACE_S": SLOW}
    with plugged(workspace, plain_home, **settings) as editor:
        editor.open(COUNTER)
        here = editor.lua("return vim.api.nvim_get_current_win()")
        editor.type(":Forge generate a to-do list<CR>")
        editor.wait("vim.fn.bufwinid('forge://live') ~= -1")
        editor.wait("vim.bo[vim.fn.bufnr('forge://live')].filetype:find('typescript')")
        assert editor.lua("return vim.api.nvim_get_current_win()") == here
        editor.wait(f"#{LIVE} > 5 and {STATUS}:find('Writing src/', 1, true)")
        editor.type(":Forge live<CR>")
        assert not editor.lua("return vim.bo.modifiable")
        editor.press("<C-c>")
        assert editor.outcome("Forge: generating")["outcome"] == "cancelled"
        assert contents(workspace) == counter_project()
        # In the last window, too, the key shows something else.
        editor.press(":only<CR>q")
        assert editor.lua("return vim.api.nvim_buf_get_name(0)") == ""

        editor.open(COUNTER)
        editor.type(":Forge generate a to-do list<CR>")
        editor.wait(f"{STATUS}:find('Writing src/', 1, true)")
        end_server(editor)
        assert editor.lua(f"return {STATUS}") == ""
        # The prompt is asked for once the server is there.
        do(editor, "Forge edit add a reset button", "Forge: editing")
        editor.wait(f"#{HUNKS} == 1")

        end_server(editor)
        editor.wait(f"#{HUNKS} == 0")
        editor.open(COUNTER)
        editor.wait(f"#{HUNKS} == 1")


def end_server(editor: Neovim) -> None:
    """Kill it, and wait until Neovim has noticed."""
    editor.lua("""for _, pid in ipairs(vim.api.nvim_get_proc_children(vim.fn.getpid())) do
        vim.uv.kill(pid, 'sigkill')
    end""")
    editor.wait(f"#{CLIENTS} == 0")
