import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.generation.context import ContextFile, fit, tokens_of
from forge_lsp.generation.symbols import last_boundary
from forge_lsp.paths import ProjectPath

A, B, C = (ProjectPath.parse(f"src/{name}.tsx") for name in "abc")


def component(name: str, lines: int) -> str:
    body = "".join(f"  const v{n} = {n};\n" for n in range(lines - 3))
    return f"export function {name}() {{\n{body}  return <p />;\n}}\n"


def test_what_fits_is_shown_whole_and_the_first_ones_first() -> None:
    files = {A: "a\n", B: "b\n", C: "c\n"}
    assert fit(files, 100, [C, ProjectPath.parse("gone.ts"), C]) == [
        ContextFile(C, "c\n", is_partial=False),
        ContextFile(A, "a\n", is_partial=False),
        ContextFile(B, "b\n", is_partial=False),
    ]


def test_a_file_that_is_too_large_is_cut_behind_a_symbol_and_says_so() -> None:
    text = "".join(component(f"C{n}", 20) for n in range(20))
    (shown,) = fit({A: text}, tokens_of(text) // 2, [A])
    assert shown.is_partial
    kept, _, marker = shown.text.rstrip("\n").rpartition("\n")
    assert text.startswith(kept)
    assert kept.endswith("\n}")
    left = len(text.splitlines()) - len(kept.splitlines())
    assert marker == f"[{left} more lines of this file are not shown]"


def test_a_component_that_is_too_large_is_cut_between_its_own_statements() -> None:
    text = 'import React from "react";\n' + component("Huge", 400)
    inner = (
        "export function Huge() {\n"
        + "".join(f"  const v{n} = [\n    {n},\n  ];\n" for n in range(200))
        + "}\n"
    )
    assert last_boundary(A, text, 100) == 100
    assert last_boundary(A, text, 401) == 401
    assert last_boundary(A, inner, 101) == 100


@pytest.mark.parametrize("path", ["a.css", "a.py"])
def test_another_language_is_cut_at_a_line_at_the_top(path: str) -> None:
    text = ".a {\n  x: 1;\n}\n\n.b {\n  x: 2;\n  y: 3;\n}\n.c {\n}\n"
    assert last_boundary(ProjectPath.parse(path), text, 7) == 4


def test_a_text_without_any_boundary_is_cut_at_the_limit() -> None:
    assert last_boundary(ProjectPath.parse("a.txt"), " a\n" * 10, 7) == 7
    assert last_boundary(A, "}}} ((( <<<\n" * 10, 7) >= 1


def test_large_first_files_share_the_room() -> None:
    text = "".join(component(f"C{n}", 20) for n in range(50))
    shown = fit({A: text, B: text, C: "c\n"}, 2_000, [A, B, C])
    assert [file.path for file in shown] == [A, B, C]
    sizes = [tokens_of(file.text) for file in shown]
    assert sizes[0] > 500
    assert sizes[1] > 500


def test_a_file_of_which_next_to_nothing_fits_is_left_out() -> None:
    assert fit({A: "x" * 10_000}, 50, [A]) == []
    assert fit({A: "x" * 10_000}, 500, [A]) == []


texts = st.text(st.sampled_from("ab{}()\n é"), max_size=3_000)


@given(st.lists(texts, max_size=3), st.integers(0, 1_500))
def test_the_budget_is_kept(contents: list[str], budget: int) -> None:
    files = dict(zip((A, B, C), contents, strict=False))
    shown = fit(files, budget, [B])
    assert sum(tokens_of(file.text) for file in shown) <= budget + 16
    for file in shown:
        assert file.is_partial or file.text == files[file.path]
