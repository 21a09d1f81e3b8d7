"""Pages that Next.js 16 answered for pages that fail, as they were recorded."""

from pathlib import Path

import pytest

from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import InstalledPackage, InstallReport
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.reports import Diagnosis
from forge_lsp.sandbox.diagnosis.server_errors import parse_server_error
from forge_lsp.sandbox.diagnosis.subject import Subject

PAGES = Path(__file__).parent / "pages"
PAGE = ProjectPath.parse("app/page.tsx")
MISSING = 'import x from "left-pad";\nexport default function Page() { return <p>{x}</p>; }\n'
SYNTAX = "export default function Page() {\n  return <p>;\n}\n"
THROWS = (
    "export default function Page() {\n  const u = null as unknown as {n: string};\n"
    "  return <p>{u.n}</p>;\n}\n"
)


class Server:
    """Has said what was recorded."""

    is_running = True
    why_ended = ""

    def __init__(self, output: str) -> None:
        self.output = output
        self.pages: list[Page] = []
        """What it answers at its root, one after the other, and the last one from then on."""

    async def get(self, path: str) -> Page:
        if path != "/" or not self.pages:
            return Page(404, "text/plain", path.encode())
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]


def subject(source: str, output: str = "", server: Server | None = None) -> Subject:
    async def read(path: ProjectPath) -> bytes:
        if path != PAGE:
            raise NotFound(f"There is no {path}.")
        return source.encode()

    async def run_tsc(arguments: object) -> tuple[int, str]:
        return 0, str(arguments)

    return Subject(server or Server(output), [PAGE], read, run_tsc)


def page(name: str) -> Page:
    return Page(500, "text/html", (PAGES / name).read_bytes())


@pytest.mark.parametrize(
    ("name", "source", "place", "message"),
    [
        ("next_missing", MISSING, (1, 16, 24), "Module not found: Can't resolve 'left-pad'"),
        ("next_syntax", SYNTAX, (3, 1, 2), "Unexpected token. Did you mean"),
        ("next_throws", THROWS, (3, 16, 17), "TypeError: Cannot read properties of null"),
    ],
)
async def test_an_error_is_told_in_its_place(
    name: str, source: str, place: tuple[int, int, int], message: str
) -> None:
    printed = (PAGES / "next_throws.txt").read_text(encoding="utf-8")
    found = await parse_server_error(page(f"{name}.html"), subject(source, printed))
    assert (found.file, found.line, found.column, found.end_column) == (PAGE, *place)
    assert message in found.message
    assert "\\u003" not in found.message


async def test_a_missing_package_is_named() -> None:
    found = await parse_server_error(page("next_missing.html"), subject(MISSING))
    assert (found.code, found.package) == ("unresolved-import", "left-pad")


async def test_after_an_install_the_server_gets_the_time_to_notice_it() -> None:
    server = Server("")
    server.pages = [page("next_missing.html"), page("next_missing.html")]
    server.pages.append(Page(200, "text/html", b"<p>"))

    async def now() -> Subject:
        return subject(MISSING, server=server)

    diagnosis = Diagnosis(now)
    (found,) = (await diagnosis.report()).diagnostics
    assert found.package == "left-pad"
    diagnosis.installed(InstallReport((InstalledPackage("left-pad", "1.3.0"),), ()))
    assert (await diagnosis.report()).diagnostics == ()


async def test_what_the_page_does_not_say_the_server_has_printed() -> None:
    printed = (PAGES / "next_throws.txt").read_text(encoding="utf-8")
    bare = Page(500, "text/plain", b"Internal Server Error")
    found = await parse_server_error(bare, subject(THROWS, printed))
    assert (found.file, found.line, found.column) == (PAGE, 3, 16)


async def test_a_project_without_the_file_is_told_on_its_manifest() -> None:
    found = await parse_server_error(page("next_throws.html"), subject(""))
    assert (found.file, found.line) == ("package.json", 1)
    assert found.message.startswith("TypeError: Cannot read properties of null")


async def test_the_last_error_that_was_printed_is_the_one() -> None:
    printed = (
        "Error: first\n    at Page (app/page.tsx:1:8)\n GET / 200\n"
        "./app/page.tsx:3:10\nError: second\n\nError: third\n    at node:internal\n"
    )
    found = await parse_server_error(Page(500, "text/plain", b""), subject(THROWS, printed))
    assert (found.line, found.column, found.message) == (3, 10, "Error: second")
