"""What the plugin draws and tells, in a real Neovim without a server."""

from collections.abc import Generator
from pathlib import Path

import pytest
from e2e_home import Home, contents
from e2e_nvim import Neovim
from e2e_nvim_plugin import LIVE, plugged


@pytest.fixture
def editor(workspace: Path, plain_home: Home) -> Generator[Neovim]:
    with plugged(workspace, plain_home) as running:
        yield running


def test_lines_that_only_come_stand_between_those_that_they_come_between(editor: Neovim) -> None:
    placed = editor.lua(
        """vim.api.nvim_buf_set_lines(0, 0, -1, true, { 'a', 'b', 'c' })
        local function hunk(row, start, after)
          return { hunkId = tostring(row), firstLine = row, lastLine = row, beforeStart = start,
            beforeCount = 0, afterStart = after, afterCount = 1 }
        end
        local file = { path = 'x', hunks = { hunk(0, 0, 0), hunk(1, 1, 2), hunk(2, 3, 5) } }
        local drawing = require('forge.hunks')
        drawing.draw(0, 'run_1', file, { '0', 'a', '1', 'b', 'c', '2' })
        local virtual = {}
        local space = vim.api.nvim_get_namespaces()['forge.hunks']
        local marks = vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })
        for _, mark in ipairs(marks) do
          local lines = mark[4].virt_lines
          if lines then
            table.insert(virtual, { lines[1][1][1], mark[2], mark[4].virt_lines_above })
          end
        end
        return virtual"""
    )
    assert sorted(placed) == [["0", 0, True], ["1", 0, False], ["2", 2, False]]


def test_a_change_that_is_drawn_again_or_not_any_more_leaves_nothing_behind(
    editor: Neovim,
) -> None:
    left = editor.lua(
        """vim.api.nvim_buf_set_lines(0, 0, -1, true, { 'a', 'b', 'c' })
        local drawing = require('forge.hunks')
        local space = vim.api.nvim_get_namespaces()['forge.hunks']
        local function marks()
          return vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })
        end
        local buffer, lines = vim.api.nvim_get_current_buf(), {}
        for row = 1, 1000 do
          lines[row] = '\\tx\\27'
        end
        local hunk = { hunkId = 'x', firstLine = 1, lastLine = 1, beforeStart = 1,
          beforeCount = 1, afterStart = 0, afterCount = 1000 }
        for _ = 1, 2 do
          for _, id in ipairs({ 'run_1', 'run_2' }) do
            drawing.draw(buffer, id, { path = 'x', hunks = { hunk } }, lines)
          end
        end
        local twice, virtual = #marks(), nil
        for _, mark in ipairs(marks()) do
          virtual = mark[4].virt_lines or virtual
        end
        drawing.keep(buffer, { run_2 = {} })
        local once, ids = #marks(), {}
        for _, each in ipairs(drawing.placed(buffer)) do
          table.insert(ids, each.change_set_id)
        end
        drawing.clear(buffer)
        local first, last = virtual[1][1][1], virtual[#virtual][1][1]
        return { twice, once, ids, #marks(), #virtual, first, last }"""
    )
    assert left[:4] == [4, 2, ["run_2"], 0]
    assert left[4:] == [401, "        x ", "… 600 more lines, see :Forge diff"]


def test_whatever_a_model_writes_stays_within_the_live_buffer(
    editor: Neovim, workspace: Path
) -> None:
    editor.lua(
        """local take, told = require('forge.events').take, ...
        local function tell(event)
          take({ runId = 'run_1', seq = 1, event = event }, { root_dir = vim.fn.getcwd() })
        end
        vim.iter(told):each(tell)
        for _ = 1, 30 do
          tell({ type = 'file_delta', path = told[2].path, text = ('x\\n'):rep(1000) })
        end""",
        [
            {"type": "run_started", "kind": "generate", "title": "%{system('touch x')}"},
            {"type": "file_started", "path": "../%{x}\n\x1b]0;.tsx", "action": "create"},
            {"type": "file_delta", "path": "other", "text": "a\0b\r\n\x1b[2J\n"},
            {"type": "file_finished", "path": "never begun", "content": None},
            {"type": "file_dropped", "path": "never begun", "reason": ""},
            {"type": "a kind of tomorrow"},
        ],
    )
    assert editor.lua(f"return #{LIVE}") == 5000
    assert editor.lua("return vim.b[vim.fn.bufnr('forge://live')].forge_live") == "../%{x} ]0;.tsx"
    # Thrown away meanwhile, it comes again.
    editor.lua(
        """vim.cmd.bdelete(vim.fn.bufnr('forge://live'))
        require('forge.events').take({ runId = 'run_1', seq = 1, event = {
          type = 'file_delta', path = '../%{x}\\n\\27]0;.tsx', text = 'more' } }, {})"""
    )
    assert editor.lua(f"return {LIVE}") == ["more"]
    assert contents(workspace) == {}


def test_what_is_told_fits_the_screen_unless_somebody_has_another_place_for_it(
    editor: Neovim,
) -> None:
    told = editor.lua(
        """local tell, told = require('forge.messages').tell, {}
        vim.cmd('messages clear')
        tell(('語'):rep(500))
        local shown = vim.trim(vim.fn.execute('messages'))
        told[1] = vim.v.echospace - vim.fn.strdisplaywidth(shown)
        vim.notify = setmetatable({}, { __call = function(_, text) told[2] = text end })
        tell(('語'):rep(500))
        return told"""
    )
    assert told[0] in (0, 1)
    assert told[1] == "語" * 500


def test_a_project_is_the_nearest_folder_that_looks_like_one_and_never_a_whole_home(
    editor: Neovim, workspace: Path, plain_home: Home
) -> None:
    inner = workspace / "outer/inner"
    inner.mkdir(parents=True)
    (workspace / "outer/package.json").touch()
    (inner / ".git").mkdir()
    (plain_home.folder / ".git").mkdir()
    of_file = "vim.cmd.edit(...); return require('forge.root').of_buffer(0)"
    assert editor.lua(of_file, str(inner / "x.ts")) == str(inner)
    assert editor.lua(of_file, str(plain_home.folder / "notes/x.ts")) is None
    assert editor.lua("vim.cmd.enew(); return require('forge.root').of_buffer(0)") == str(workspace)
