import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.generation.packages import imported_packages, is_package_name, is_package_spec


@pytest.mark.parametrize(
    ("line", "packages"),
    [
        ('import React from "react";', ("react",)),
        ("import React, { useState } from 'react'", ("react",)),
        ('import * as THREE from "three";', ("three",)),
        ('import type { A } from "a-types";', ("a-types",)),
        ('import {\n  a,\n  b,\n} from "multi";', ("multi",)),
        ('import "side-effect/style.css";', ("side-effect",)),
        ('import{a}from"tight"', ("tight",)),
        ('export { a } from "re-export";', ("re-export",)),
        ('export * from "@scope/pkg/deep";', ("@scope/pkg",)),
        ('const a = await import("dynamic/x");', ("dynamic",)),
        ("const a = require('required');", ("required",)),
        ('import React from "react"\nimport a from "a"', ("react", "a")),
        ('import a from "b"; import c from "b/d";', ("b",)),
        ('import logo from "pkg/logo.svg?url";', ("pkg",)),
        ('import from from "from";', ("from",)),
        ('import "animate.css";', ("animate.css",)),
        ('import x from "d3.js-lib"', ("d3.js-lib",)),
    ],
)
def test_what_a_script_imports_is_found(line: str, packages: tuple[str, ...]) -> None:
    for ending in ("ts", "tsx", "js", "jsx", "mjs"):
        assert imported_packages(f"src/a.{ending}", line) == packages


@pytest.mark.parametrize(
    "specifier",
    [
        "./a", "../a", "/a", "@/a", "~/a", "node:fs", "fs", "fs/promises", "path", "virtual:pwa",
        "https://x.org/a.js", "data:text/javascript,1", "#internal", "$lib/a", "", "@scope",
        "UPPER", "a b", "../../etc", ".hidden", "_private", "node_modules", "src/a", "a" * 215,
    ],
)  # fmt: skip
def test_what_npm_does_not_have_is_left_out(specifier: str) -> None:
    assert imported_packages("a.ts", f'import x from "{specifier}";') == ()


@pytest.mark.parametrize(
    "text",
    [
        '// import a from "a";',
        '/* import a from "a"; */',
        '/**\n * import a from "a";\n */',
        'const text = `import a from "a"`;',
        "const text = 'import a from \"a\"';",
        'const from = "a";',
        'const label = { from: "a" };',
        'Array.from("abc");',
        'moment(date).from("a");',
        'export const from = "a";',
        'foo.import; from("a")',
        '/* never closed import a from "a"',
    ],
)
def test_what_merely_looks_like_an_import_is_none(text: str) -> None:
    assert imported_packages("a.tsx", text) == ()


def test_an_apostrophe_in_markup_hides_no_import_below() -> None:
    code = "const a = <p>Don't</p>;\nconst b = import('lazy');\n"
    assert imported_packages("a.tsx", code) == ("lazy",)


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ('@import "tailwindcss";', ("tailwindcss",)),
        ("@import 'tailwindcss' layer(base);", ("tailwindcss",)),
        ('@import url("pkg/style.css");', ("pkg",)),
        ('@plugin "@tailwindcss/typography";', ("@tailwindcss/typography",)),
        ('@import "./theme.css"; @import "theme.css";', ()),
        ("@import url(https://fonts.example/css?family=X);", ()),
        ('/* @import "a"; */ .b::after { content: \'@import "c"\' }', ()),
    ],
)
def test_what_a_style_sheet_imports_is_found(text: str, packages: tuple[str, ...]) -> None:
    assert imported_packages("src/index.css", text) == packages


def test_other_files_import_nothing() -> None:
    assert imported_packages("README.md", 'import a from "a";') == ()
    assert imported_packages("tsx", 'import a from "a";') == ("a",)


@pytest.mark.parametrize("name", ["react", "@scope/a", "a-b.c_d", "1x", "@1/2"])
def test_a_name_that_npm_takes_is_one(name: str) -> None:
    assert is_package_name(name)
    for version in ("@1.2.3", "@^1", "@latest", "@>=1 <2", "@1.x || 2"):
        assert is_package_spec(name + version)


@pytest.mark.parametrize(
    "spec",
    [
        "a@",
        "a@file:../x",
        "a@npm:b",
        "a@git+ssh://h/x",
        "@a",
        "@/a",
        "a@1;rm",
        "a@$(x)",
        "-g",
        "--x",
    ],
)
def test_what_npm_would_not_fetch_from_its_registry_is_none(spec: str) -> None:
    assert not is_package_spec(spec)


@given(st.text(), st.sampled_from(["a.ts", "a.css"]))
def test_any_text_gives_names_that_npm_takes(text: str, path: str) -> None:
    assert all(map(is_package_name, imported_packages(path, text)))


@pytest.mark.parametrize(
    "unit",
    ["/*", "`\\`", "'\\'", "import ", "import(", '"', "a" * 50, "@import ", "@import url(", "\\"],
)
@pytest.mark.parametrize("path", ["a.ts", "a.css"])
def test_hostile_text_is_read_in_linear_time(unit: str, path: str) -> None:
    started = time.perf_counter()
    imported_packages(path, unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - started < 10
