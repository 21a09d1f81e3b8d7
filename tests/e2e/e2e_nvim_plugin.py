"""The plugin in a real Neovim: `:Forge` typed, and what is asserted of it in several modules."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from e2e_home import Home
from e2e_nvim import Neovim, opened

INIT = Path(__file__).with_name("e2e_plugin_init.lua")
HUNKS = "require('forge.review').hunks(0)"
LIVE = "vim.api.nvim_buf_get_lines(vim.fn.bufnr('forge://live'), 0, -1, true)"
CLIENTS = "vim.lsp.get_clients({ name = 'forge' })"


@contextmanager
def plugged(workspace: Path, home: Home, **settings: str) -> Generator[Neovim]:
    """A Neovim with the plugin; without a sandbox where `settings` have no Node."""
    with opened(workspace, home, init=INIT, **settings) as editor:
        yield editor


def do(editor: Neovim, command: str, title: str) -> None:
    """Type the command, whose run begins with that title, and have it end well."""
    editor.type(f":{command}<CR>")
    assert editor.outcome(title)["outcome"] == "done", editor.messages
    editor.lua("seen.runs = {}")


def completions(editor: Neovim, line: str) -> list[str]:
    return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)


def wait_for_message(editor: Neovim, text: str) -> None:
    held = "vim.iter(seen.messages):any(function(each) return each:find(a[1], 1, true) end)"
    editor.wait(held, text)


def wait_for_list(editor: Neovim, name: str, text: str) -> None:
    """Until the list is shown and holds the text; closes it."""
    editor.wait("vim.fn.bufname() == a[1]", f"forge://{name}")
    assert text in editor.text
    editor.type("q")
    editor.wait("vim.fn.bufname() ~= a[1]", f"forge://{name}")
