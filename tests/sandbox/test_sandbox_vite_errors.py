"""Pages that Vite 8 answered for modules that don't load, as they were recorded."""

from pathlib import Path

import pytest

from forge_lsp.sandbox.diagnosis.type_errors import parse_type_errors
from forge_lsp.sandbox.diagnosis.vite_errors import located, parse_error_page

PAGES = Path(__file__).parent / "pages"


def page(name: str) -> bytes:
    return (PAGES / f"{name}.html").read_bytes()


def test_a_syntax_error_is_placed_by_its_message() -> None:
    found = parse_error_page("src/App.tsx", page("syntax"))
    assert (found.file, found.line, found.column) == ("src/App.tsx", 1, 56)
    assert (found.code, found.source) == ("parse_error", "vite:oxc")
    assert "Expected `>` but found `}`" in found.message


def test_a_missing_package_is_placed_by_what_vite_names() -> None:
    found = parse_error_page("src/Page.ts", page("import"))
    assert (found.file, found.line, found.column) == ("src/Page.ts", 2, 18)
    assert 'Failed to resolve import "lodash"' in found.message


def test_a_missing_import_is_looked_up_in_the_source_itself() -> None:
    source = '// One.\n\nconst a = "🙂"; import page from "lodash";\n'
    found = located(parse_error_page("src/Page.ts", page("import")), source)
    assert (found.code, found.line, found.column) == ("unresolved-import", 3, 35)
    assert (found.end_line, found.end_column) == (3, 41)


def test_an_unknown_class_is_looked_up_in_the_source_itself() -> None:
    source = '@import "tailwindcss";\n\n.card {\n  @apply nope-3;\n}\n'
    found = located(parse_error_page("src/card.css", page("tailwind")), source)
    assert (found.code, found.line, found.column) == ("unknown-class", 4, 10)


def test_what_the_source_does_not_hold_stays_where_vite_put_it() -> None:
    found = located(parse_error_page("src/Page.ts", page("import")), "nothing\n")
    assert (found.line, found.column, found.end_line) == (2, 18, None)


def test_an_error_without_any_place_is_put_at_the_start_of_its_file() -> None:
    found = parse_error_page("src/bad.css", page("css"))
    assert (found.file, found.line, found.column) == ("src/bad.css", 1, 1)
    assert found.message == "Missing opening {"


def error_page(json: str) -> bytes:
    return f"<script>\n const error = {json}\n try {{}}".encode()


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"const error = {",
        b"\xff" * 1000,
        error_page("{}"),
        error_page("[" * 50_000),
        error_page('{"a":' * 50_000 + "}"),
        error_page('{"message": 1, "loc": [], "id": {}, "plugin": []}'),
        error_page('{"message": "x", "loc": {"line": "9", "column": -4, "file": "/etc/passwd"}}'),
        error_page('{"message": "x", "id": "/app/../../etc/passwd"}'),
        error_page('{"message": "[ ../../x:1:1 ]"}'),
        error_page('{"message": "[ src/x.ts:' + "9" * 5000 + ":" + "9" * 5000 + ' ]"}'),
        error_page('{"message": "' + "[ " * 50_000 + '"}'),
    ],
)
def test_a_hostile_page_is_an_error_in_the_file_that_was_asked_for(hostile: bytes) -> None:
    found = parse_error_page("src/App.tsx", hostile)
    assert found.file in ("src/App.tsx", "src/x.ts")
    assert found.line >= 1
    assert found.column >= 1
    assert len(found.message) <= 4_000


def test_type_errors_are_read_with_the_lines_that_continue_them() -> None:
    output = (
        "src/App.tsx(3,7): error TS2322: Type 'string' is not assignable to type 'number'.\n"
        "  The first reason.\n"
        "    A deeper one.\n"
        "/app/src/b (1).ts(10,2): error TS2304: Cannot find name 'x'.\n"
        "../../usr/lib/x.d.ts(1,1): error TS1005: ';' expected.\n"
        "error TS5083: Cannot read file '/app/tsconfig.json'.\n"
        "Found 2 errors.\n"
    )
    first, second = parse_type_errors(output)
    assert (first.file, first.line, first.column, first.code) == ("src/App.tsx", 3, 7, "TS2322")
    assert first.message.endswith("'number'.\n  The first reason.\n    A deeper one.")
    assert (second.file, second.line, second.column) == ("src/b (1).ts", 10, 2)
