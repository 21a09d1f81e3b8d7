"""Looks at a sandbox in memory: what is asked for again, and what is told once."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from forge_lsp.errors import NotFound, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.reports import Diagnosis
from forge_lsp.sandbox.diagnosis.subject import Subject
from forge_lsp.sandbox.diagnosis.type_errors import BUILD_INFO

A, B, C = (ProjectPath.parse(f"src/{name}.ts") for name in "abc")
STYLE = ProjectPath.parse("src/index.css")
PACKAGES = ProjectPath.parse("package.json")
TSCONFIG = ProjectPath.parse("tsconfig.json")


class Machine:
    """A project over a dict, its Vite, and its type checker."""

    def __init__(self) -> None:
        self.contents: dict[ProjectPath, str] = {
            A: 'import { b } from "./b";\n',
            B: "export const b = 1;\n",
            STYLE: "",
            PACKAGES: '{"devDependencies": {"typescript": "7"}}',
            TSCONFIG: '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}',
        }
        self.pages: dict[str, Page] = {
            "/": Page(200, "text/html", b""),
            "/@vite/client": Page(200, "text/javascript", b""),
        }
        self.output = ""
        self.is_running = True
        self.why_ended = ""
        self.asked: list[str] = []
        self.checked: list[Sequence[str]] = []
        self.types: tuple[int, str] | SandboxFailed = (0, "")
        self.thrown: list[SandboxDiagnostic] = []
        self.may_check = asyncio.Event()
        self.may_check.set()
        self.is_checking = asyncio.Event()

    async def get(self, path: str) -> Page:
        self.asked.append(path)
        return self.pages.get(path, Page(200, "text/javascript", b""))

    async def read(self, path: ProjectPath) -> bytes:
        if path not in self.contents:
            raise NotFound(f"There is no {path}.")
        return self.contents[path].encode()

    async def run_tsc(self, arguments: Sequence[str]) -> tuple[int, str]:
        self.checked.append(arguments)
        self.is_checking.set()
        await self.may_check.wait()
        if isinstance(self.types, SandboxFailed):
            raise self.types
        return self.types

    async def page_errors(self) -> Sequence[SandboxDiagnostic]:
        return tuple(self.thrown)

    async def subject(self) -> Subject:
        return Subject(self, sorted(self.contents), self.read, self.run_tsc, self.page_errors)

    def fails(self, path: ProjectPath, message: str) -> None:
        error = json.dumps({"message": message, "id": f"/app/{path}"})
        self.pages[f"/{path}"] = Page(500, "text/html", f"const error = {error}\n".encode())

    def modules_asked(self) -> list[str]:
        asked = [path for path in self.asked if path.startswith("/src/")]
        self.asked.clear()
        return asked


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def diagnosis(machine: Machine) -> Diagnosis:
    return Diagnosis(machine.subject)


async def test_the_first_look_sees_everything(machine: Machine, diagnosis: Diagnosis) -> None:
    report = await diagnosis.report([A])
    assert [each.label for each in report.checks] == ["dev server", "page", "modules", "types"]
    assert all(each.ok for each in report.checks)
    assert machine.modules_asked() == [f"/{A}", f"/{B}", f"/{STYLE}"]
    assert BUILD_INFO in machine.checked[0]


async def test_only_what_changed_is_asked_for_again(machine: Machine, diagnosis: Diagnosis) -> None:
    await diagnosis.report()
    machine.modules_asked()
    await diagnosis.report([B])
    assert machine.modules_asked() == [f"/{B}"]
    assert len(machine.checked) == 2


async def test_without_a_change_only_what_is_cheap_is_looked_at(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    await diagnosis.report()
    machine.modules_asked()
    machine.thrown = [SandboxDiagnostic(A, 1, 1, "error", "runtime", "Error: no", "page")]
    report = await diagnosis.report([])
    assert machine.modules_asked() == []
    assert len(machine.checked) == 1
    assert report.diagnostics == tuple(machine.thrown)
    assert [each.label for each in report.checks if not each.ok] == ["page"]


async def test_a_style_sheet_has_no_types(machine: Machine, diagnosis: Diagnosis) -> None:
    machine.types = (1, f"{A}(1,1): error TS2304: Cannot find name 'x'.\n")
    await diagnosis.report()
    report = await diagnosis.report([STYLE])
    assert len(machine.checked) == 1
    assert [each.code for each in report.diagnostics] == ["TS2304"]


async def test_what_had_an_error_is_asked_for_until_it_has_none(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.fails(A, 'Failed to resolve import "left-pad" from "src/a.ts".')
    machine.contents[A] = 'import pad from "left-pad";\n'
    (found,) = (await diagnosis.report()).diagnostics
    assert (found.line, found.column, found.end_column) == (1, 18, 26)
    assert (found.code, found.package) == ("unresolved-import", "left-pad")
    machine.modules_asked()
    del machine.pages[f"/{A}"]
    assert (await diagnosis.report([B])).diagnostics == ()
    assert machine.modules_asked() == [f"/{A}", f"/{B}"]


async def test_who_imported_a_file_that_is_gone_is_asked_for(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.pages[f"/{A}"] = Page(200, "text/javascript", b'import { b } from "/src/b.ts?t=1";')
    await diagnosis.report()
    machine.modules_asked()
    del machine.contents[B]
    (found,) = (await diagnosis.report([B])).diagnostics
    assert machine.modules_asked() == [f"/{A}"]
    assert (found.file, found.line, found.column, found.end_column) == (A, 1, 20, 23)
    assert (found.code, found.package) == ("unresolved-import", None)
    machine.contents[B] = ""
    assert (await diagnosis.report([B])).diagnostics == ()


async def test_the_manifest_changes_everything(machine: Machine, diagnosis: Diagnosis) -> None:
    await diagnosis.report()
    machine.modules_asked()
    await diagnosis.report([PACKAGES])
    assert len(machine.modules_asked()) == 3


async def test_what_nobody_names_is_seen_after_it_was_forgotten(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    await diagnosis.report()
    machine.modules_asked()
    diagnosis.forget()
    await diagnosis.report([])
    assert len(machine.modules_asked()) == 3


async def test_one_import_that_leads_nowhere_is_one_problem(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.contents[A] = 'import pad from "left-pad";\nimport other from "other";\n'
    machine.fails(A, 'Failed to resolve import "left-pad" from "src/a.ts".')
    told = (
        f"{A}(1,17): error TS2307: Cannot find module 'left-pad' or its types.\n"
        f"{A}(2,19): error TS2307: Cannot find module 'other' or its types.\n"
    )
    machine.types = (1, told)
    found = (await diagnosis.report()).diagnostics
    assert [(each.line, each.column, each.end_column, each.package) for each in found] == [
        (1, 18, 26, "left-pad"),
        (2, 20, 25, "other"),
    ]


async def test_an_alias_of_the_project_is_no_package(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.contents[TSCONFIG] = '{"compilerOptions": {"paths": {"parts/*": ["./src/*"]}}}'
    machine.contents[A] = 'import gone from "parts/gone";\n'
    machine.fails(A, 'Failed to resolve import "parts/gone" from "src/a.ts".')
    (found,) = (await diagnosis.report()).diagnostics
    assert (found.code, found.package) == ("unresolved-import", None)


async def test_a_file_that_does_not_parse_is_one_problem(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.fails(A, "[PARSE_ERROR] Unexpected token\n[ src/a.ts:1:8 ]")
    machine.types = (
        1,
        f"{A}(1,8): error TS1109: Expression expected.\n{B}(1,1): error TS1005: ';' expected.\n",
    )
    found = (await diagnosis.report()).diagnostics
    assert [(each.file, each.code) for each in found] == [(A, "parse_error"), (B, "TS1005")]


async def test_a_type_error_ends_where_its_word_ends(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.contents[B] = 'const s = "🙂"; const count: number = "🙂 text";\n'
    machine.types = (1, f"{B}(1,23): error TS2322: Type 'string' is not assignable.\n")
    (found,) = (await diagnosis.report()).diagnostics
    assert (found.column, found.end_column) == (23, 28)


@pytest.mark.parametrize(
    ("contents", "arguments"),
    [
        ({TSCONFIG: '{"files": [ ], /* x */ "references": [{"path": "./a"}]}'}, "-b"),
        ({TSCONFIG: '{"include": ["src"], "references": []}'}, "--noEmit"),
        ({TSCONFIG: None}, None),
        ({PACKAGES: "{}"}, None),
    ],
)
async def test_the_type_checker_is_called_as_the_project_needs_it(
    machine: Machine,
    diagnosis: Diagnosis,
    contents: dict[ProjectPath, str | None],
    arguments: str | None,
) -> None:
    for path, text in contents.items():
        del machine.contents[path]
        if text is not None:
            machine.contents[path] = text
    report = await diagnosis.report()
    assert ("types" in [each.label for each in report.checks]) == (arguments is not None)
    assert [each[0] for each in machine.checked] == ([arguments] if arguments else [])


async def test_a_type_checker_that_fails_is_told_in_its_check(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    machine.types = SandboxFailed("tsc did not end within 60 s.")
    report = await diagnosis.report()
    assert (report.checks[-1].ok, report.checks[-1].detail) == (False, machine.types.message)


async def test_looks_that_are_asked_for_meanwhile_are_one_and_see_every_change(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    await diagnosis.report()
    machine.modules_asked()
    machine.may_check.clear()
    machine.is_checking.clear()
    first = asyncio.create_task(diagnosis.report([A]))
    await asyncio.wait_for(machine.is_checking.wait(), 5)
    others = [asyncio.create_task(diagnosis.report([path])) for path in (B, STYLE, B)]
    await asyncio.sleep(0)
    machine.may_check.set()
    await asyncio.gather(first, *others)
    assert len(machine.checked) == 3
    assert machine.modules_asked() == [f"/{A}", f"/{B}", f"/{STYLE}"]


async def test_a_look_that_is_broken_off_loses_no_change(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    await diagnosis.report()
    machine.modules_asked()
    machine.may_check.clear()
    machine.is_checking.clear()
    looking = asyncio.create_task(diagnosis.report([A]))
    await asyncio.wait_for(machine.is_checking.wait(), 5)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    machine.may_check.set()
    machine.modules_asked()
    await diagnosis.report([STYLE])
    assert machine.modules_asked() == [f"/{A}", f"/{STYLE}"]
    assert len(machine.checked) == 3


NEXT_PAGE = r"""<!DOCTYPE html><html><head><style>body:9:9{}</style></head><body>
<script id="__NEXT_DATA__" type="application/json">{"err":{"name":"Error","message":
"./app/page.tsx:3:1\nModule not found: Can't resolve 'left-pad'\n\u001b[0m  1 |\n\nhttps://nextjs.org/"}}
</script></body></html>"""


async def test_a_server_that_is_not_vite_is_asked_for_its_page_only(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    page = ProjectPath.parse("app/page.tsx")
    machine.contents[page] = '// A page.\n\nimport pad from "left-pad";\n'
    machine.pages["/@vite/client"] = Page(404, "text/html", b"")
    machine.pages["/"] = Page(500, "text/html", NEXT_PAGE.encode())
    report = await diagnosis.report()
    assert [each.label for each in report.checks] == ["dev server", "page", "types"]
    (found,) = report.diagnostics
    assert (found.file, found.line, found.column, found.end_column) == (page, 3, 18, 26)
    assert (found.code, found.package) == ("unresolved-import", "left-pad")
    machine.pages["/"] = Page(404, "text/html", b"")
    report = await diagnosis.report([page])
    assert report.diagnostics == ()
    assert report.checks[1].ok


async def test_a_servers_error_is_read_from_what_it_prints_too(
    machine: Machine, diagnosis: Diagnosis
) -> None:
    page = ProjectPath.parse("app/page.tsx")
    machine.contents[page] = "export default function Page() {\n  throw new Error('x');\n}\n"
    machine.pages["/@vite/client"] = Page(404, "text/html", b"")
    machine.pages["/"] = Page(500, "text/html", b"Internal Server Error")
    machine.output = (
        " \x1b[31m\u2a2f\x1b[0m TypeError: x is not a function\n"
        "    at next (node_modules/next/dist/x.js:1:1)\n    at Page (app/page.tsx:2:9)\n"
    )
    (found,) = (await diagnosis.report()).diagnostics
    assert (found.file, found.line, found.column, found.end_column) == (page, 2, 9, 12)
    assert found.message.startswith("TypeError: x is not a function")


@pytest.mark.parametrize(
    "body", [b"", b"\xff" * 1000, b"<" * 200_000, b"./" * 100_000, b"a.ts:1" * 50_000]
)
async def test_a_hostile_error_page_is_told_on_the_manifest(
    machine: Machine, diagnosis: Diagnosis, body: bytes
) -> None:
    machine.pages["/@vite/client"] = Page(404, "text/html", b"")
    machine.pages["/"] = Page(502, "text/html", body)
    (found,) = (await diagnosis.report()).diagnostics
    assert (found.file, found.line, found.message) == (PACKAGES, 1, "The page answers 502.")
