"""What is wrong in the preview, marked in a real Neovim as it is saved, and mended from there."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_chromium import FLAGS
from e2e_home import Home, contents, fill
from e2e_nvim import Neovim, opened
from e2e_projects import COUNTER, counter_project
from e2e_tools import executable
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(300)]

ABOVE = "export default function Counter"
"""The mistakes are made right above this line, or right below it."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line that somebody types, and how its mark begins."""

    line: str
    message: str
    is_below: bool = False


TYPE = Mistake('const wrong: number = "text";', "Type 'string' is not assignable")
SYNTAX = Mistake("const = ;", "")
PACKAGE = Mistake('import dayjs from "dayjs";', "")
THROW = Mistake(
    '  if (Math.abs(1) === 1) throw new Error("Kaputt 🙂");', "Error: Kaputt", is_below=True
)
MISTAKES = {"type": TYPE, "syntax": SYNTAX, "package": PACKAGE, "throw": THROW}


@pytest.fixture
def editor(workspace: Path, home: Home) -> Iterator[Neovim]:
    """A Neovim with the counter open, whose preview somebody looks at."""
    fill(workspace, counter_project())
    with opened(workspace, home, FORGE_SANDBOX_SCREENSHOTS="true") as editor:
        editor.open(COUNTER)
        editor.request("forge.sandbox.create")
        assert editor.outcome("Forge: making a sandbox")["outcome"] == "done", editor.messages
        with looked_at(editor.request("forge.sandbox.status")["url"]) as page:
            expect(page.get_by_test_id("count")).to_have_text("0")
            yield editor


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_marked_once_it_is_saved_and_the_mark_goes_with_it(
    editor: Neovim, kind: str
) -> None:
    mistake = MISTAKES[kind]
    row = make(editor, mistake)
    saved_s = editor.now_s()
    editor.save_all()
    editor.wait_for_mark(row, mistake.message)
    marked_s = editor.now_s()
    editor.type("u")
    editor.save_all()
    editor.wait_for_no_mark()
    print(f"{kind}: marked {marked_s - saved_s:.2f} s after it was saved, ", end="")
    print(f"gone {editor.now_s() - marked_s:.2f} s after it was mended")


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mark_is_mended_by_its_quick_fix(editor: Neovim, workspace: Path, kind: str) -> None:
    mistake = MISTAKES[kind]
    before = contents(workspace)
    row = make(editor, mistake)
    editor.save_all()
    editor.wait_for_mark(row, mistake.message)
    editor.find(mistake.line)
    editor.code_action_like("Forge: fix ")
    assert editor.outcome("Forge: mending")["outcome"] == "done", editor.messages
    editor.code_action("Forge: accept all")
    assert editor.outcome("Forge: accepting")["outcome"] == "done", editor.messages
    editor.save_all()
    editor.wait_for_no_mark()
    after = contents(workspace)
    if mistake is PACKAGE:
        assert b'"dayjs"' in after["package.json"]
        assert mistake.line.encode() in after[COUNTER]
    else:
        assert after == before


def make(editor: Neovim, mistake: Mistake) -> int:
    """Type the mistake; gives its line, counted from 0."""
    editor.find(ABOVE)
    editor.type(f"{'o' if mistake.is_below else 'O'}<C-u>{mistake.line}<Esc>")
    return editor.lua("return vim.api.nvim_win_get_cursor(0)[1] - 1")


@contextmanager
def looked_at(url: str) -> Generator[Page]:
    """The page at `url` in a browser that is gone afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable("chromium"), args=FLAGS)
        try:
            page = browser.new_page()
            page.goto(url)
            yield page
        finally:
            browser.close()
