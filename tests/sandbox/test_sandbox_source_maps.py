"""Source maps: places found, and whatever a hostile map holds."""

import base64
import json
import random
import time
from typing import Any

import pytest

from forge_lsp.sandbox.diagnosis.source_maps import (
    Origin,
    inline_map,
    map_reference,
    origin_of,
    parse_map,
)

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def encoded(*numbers: int) -> str:
    text = ""
    for number in numbers:
        value = (-number << 1) | 1 if number < 0 else number << 1
        while True:
            digit, value = value & 31, value >> 5
            text += SIGNS[digit | (32 if value else 0)]
            if not value:
                break
    return text


def with_mappings(mappings: str, sources: Any = ("App.tsx",)) -> dict[str, Any]:
    return {"version": 3, "mappings": mappings, "sources": list(sources)}


def test_the_last_segment_that_begins_before_the_place_is_the_one() -> None:
    held = with_mappings(f";{encoded(0, 0, 4, 2)},{encoded(10, 0, 3, 5)}")
    assert origin_of(held, 2, 1) == Origin("App.tsx", 5, 3)
    assert origin_of(held, 2, 10) == Origin("App.tsx", 5, 3)
    assert origin_of(held, 2, 11) == Origin("App.tsx", 8, 8)
    assert origin_of(held, 2, 5_000) == Origin("App.tsx", 8, 8)


def test_numbers_count_on_from_line_to_line_but_for_the_column() -> None:
    mappings = f"{encoded(5, 1, 10, 4)};{encoded(2, -1, -3, -4)}"
    held = with_mappings(mappings, ("a.ts", "b.ts"))
    assert origin_of(held, 1, 6) == Origin("b.ts", 11, 5)
    assert origin_of(held, 2, 3) == Origin("a.ts", 8, 1)


def test_what_was_made_of_nothing_comes_from_nowhere() -> None:
    held = with_mappings(f"{encoded(4, 0, 0, 0)},{encoded(4)}")
    assert origin_of(held, 1, 1) is None
    assert origin_of(held, 1, 5) == Origin("App.tsx", 1, 1)
    assert origin_of(held, 1, 9) is None
    assert origin_of(held, 2, 1) is None


def test_sections_are_maps_of_their_own() -> None:
    held = {
        "sections": [
            {"offset": {"line": 0, "column": 0}, "map": with_mappings("AAAA", ["first.ts"])},
            {"offset": {"line": 3, "column": 2}, "map": with_mappings("AAAA;AACA", ["second.ts"])},
        ]
    }
    assert origin_of(held, 1, 1) == Origin("first.ts", 1, 1)
    assert origin_of(held, 4, 3) == Origin("second.ts", 1, 1)
    assert origin_of(held, 5, 1) == Origin("second.ts", 2, 1)


def test_the_sources_root_is_before_their_names() -> None:
    held = with_mappings("AAAA") | {"sourceRoot": "/app/src/"}
    assert origin_of(held, 1, 1) == Origin("/app/src/App.tsx", 1, 1)


def test_the_map_in_the_last_comment_counts() -> None:
    held = base64.b64encode(json.dumps(with_mappings("AAAA")).encode())
    module = (
        b'const text = "//# sourceMappingURL=no.map";\n//# sourceMappingURL=early.map\n'
        b"//# sourceMappingURL=data:application/json;base64," + held + b"\n"
    )
    assert inline_map(module) == with_mappings("AAAA")
    assert map_reference(b"x\n//# sourceMappingURL=page.js.map") == b"page.js.map"
    assert map_reference(b'x = "//# sourceMappingURL=page.js.map"') is None
    assert inline_map(b"//# sourceMappingURL=page.js.map") is None


@pytest.mark.parametrize(
    "held",
    [
        {},
        {"mappings": 1, "sources": []},
        with_mappings("AAAA", []),
        with_mappings("AAAA", [None]),
        with_mappings("AAAA", [7]),
        with_mappings("%%%%"),
        with_mappings("g" * 100_000),
        with_mappings("/" * 100_000),
        with_mappings("AA" + "D" * 50),
        with_mappings(encoded(0, 0, -5, 0)),
        with_mappings(encoded(0, -5, 0, 0)),
        with_mappings(encoded(0, 0, (1 << 31) - 1, 0) * 2),
        with_mappings(";" * 1_000_000),
        with_mappings("," * 1_000_000),
        {"sections": "no"},
        {"sections": [None, 1, {}, {"offset": None, "map": {}}, {"offset": {}, "map": {}}]},
        {"sections": [{"offset": {"line": 1e400, "column": 0}, "map": with_mappings("AAAA")}]},
        {"sections": [{"offset": {"line": 0, "column": 0}, "map": {"sections": []}}]},
    ],
)
def test_a_hostile_map_leads_nowhere(held: dict[str, Any]) -> None:
    for place in ((1, 1), (2, 7), (9_999_999, 9_999_999), (0, 0), (-5, -5)):
        found = origin_of(held, *place)
        assert found is None or (found.line >= 1 and found.column >= 1)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"nothing", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"9" * 10_000]
)
def test_what_is_no_map_is_none(text: bytes) -> None:
    assert parse_map(text) is None
    assert inline_map(b"//# sourceMappingURL=data:application/json;base64," + text) is None


def test_noise_never_breaks_it() -> None:
    noise = random.Random(7)
    for _ in range(500):
        mappings = "".join(noise.choices(SIGNS + ",;", k=60))
        found = origin_of(with_mappings(mappings, "abc"), noise.randint(1, 4), noise.randint(1, 90))
        assert found is None or found.line >= 1


def test_a_map_as_large_as_may_be_takes_no_longer_than_it_is_long() -> None:
    began = time.perf_counter()
    origin_of(with_mappings("AAAA," * 1_000_000), 1, 9_999_999)
    assert time.perf_counter() - began < 20
