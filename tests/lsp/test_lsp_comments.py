"""Instruction comments in the ways in which languages comment."""

import time

import pytest

from forge_lsp.lsp.comments import instructions_in

WANTED = "add a reset button"


@pytest.mark.parametrize(
    "line",
    [
        "// forge: add a reset button",
        "  // Forge: add a reset button  ",
        "const a = 1; // forge: add a reset button",
        "# forge: add a reset button",
        "x = 1  # forge: add a reset button",
        "-- forge: add a reset button",
        "/* forge: add a reset button */",
        "/** forge: add a reset button */",
        " * forge: add a reset button",
        "<!-- forge: add a reset button -->",
        "<p>x</p> <!-- forge: add a reset button -->",
        "; forge: add a reset button",
        ";; forge: add a reset button",
        "{/* forge: add a reset button */}",
        "      {/* forge: add a reset button */}",
        "% forge: add a reset button",
        "' forge: add a reset button",
        "REM forge: add a reset button",
        '" forge: add a reset button',
        "(* forge: add a reset button *)",
        "//forge:add a reset button\r\n",
    ],
)
def test_each_comment_mark_is_known(line: str) -> None:
    (found,) = instructions_in(["code();", line])
    assert (found.line, found.text) == (1, WANTED)


@pytest.mark.parametrize(
    "line",
    [
        "forge: add a reset button",
        "const url = 'https://forge: no';",
        'say "forge: no"',
        "// forge:",
        "// forge:   ",
        "// reforge: add",
        "// forge add",
        "// forge: " + "x" * 3000,
        "let a = 'forge: no'",
    ],
)
def test_other_lines_are_none(line: str) -> None:
    assert instructions_in([line]) == []


def test_hostile_lines_take_no_time() -> None:
    lines = ["/*" * 900 + " forge:" + " " * 90, "{/*" * 600 + "forge: " + "* " * 50] * 200
    started = time.perf_counter()
    instructions_in(lines)
    assert time.perf_counter() - started < 2
