"""What pages report becomes problems of files, once each, for as long as they stand."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator

import pytest

from forge_lsp.errors import NotFound
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.original_places import OriginalPlaces
from forge_lsp.sandbox.diagnosis.page_errors import MAX_ERRORS, MAX_LOGGED_LINES, PageErrors
from forge_lsp.sandbox.log import Log
from forge_lsp.sandbox.news import News

HOST = "sb_1.localhost"
ORIGIN = f"http://{HOST}:5000"
APP = ProjectPath.parse("src/App.tsx")
SOURCE = "// One.\nconst a = b.c;\n"


def with_map(held: object) -> bytes:
    text = base64.b64encode(json.dumps(held).encode())
    return b"code\n//# sourceMappingURL=data:application/json;base64," + text


class Project:
    """Its files, and what its dev server makes of them."""

    def __init__(self) -> None:
        self.contents = {APP: SOURCE}
        self.pages: dict[str, Page] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.serves("/src/App.tsx", with_map({"mappings": ";AACA", "sources": ["App.tsx"]}))

    def serves(self, path: str, body: bytes, content_type: str = "text/javascript") -> None:
        self.pages[path] = Page(200, content_type, body)

    async def get(self, path: str) -> Page:
        await self.may_answer.wait()
        return self.pages.get(path.partition("?")[0], Page(404, "text/plain", b""))

    async def read(self, path: ProjectPath) -> bytes:
        if path not in self.contents:
            raise NotFound(f"There is no {path}.")
        return self.contents[path].encode()


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
async def errors(project: Project, log: Log, news: News) -> AsyncIterator[PageErrors]:
    made = PageErrors(OriginalPlaces(HOST, project.get, project.read), log, news)
    yield made
    await made.close()


def told(kind: str, text: str = "", stack: str = "", page: str = "p") -> bytes:
    happened = [{"kind": kind, "text": text, "stack": stack}]
    return json.dumps({"page": page, "happened": happened}).encode()


def thrown(text: str = "Error: no", url: str = "/src/App.tsx", place: str = "2:1") -> bytes:
    return told("thrown", text, f"{text}\n    at f ({ORIGIN}{url}:{place})")


async def places(errors: PageErrors) -> list[tuple[str, int, int, int | None]]:
    return [(each.file, each.line, each.column, each.end_column) for each in await errors.found()]


async def test_an_error_is_placed_by_the_modules_map(errors: PageErrors, news: News) -> None:
    errors.take(thrown("TypeError: b is null"))
    (found,) = await errors.found()
    assert (found.file, found.line, found.column, found.end_column) == (APP, 2, 1, 6)
    assert (found.code, found.source, found.severity) == ("runtime", "page", "error")
    assert found.message == "TypeError: b is null"
    await asyncio.wait_for(news.heard(), 5)


async def test_the_same_error_is_one_however_often_it_is_thrown(
    errors: PageErrors, news: News
) -> None:
    errors.take(thrown())
    assert len(await errors.found()) == 1
    await news.heard()
    errors.take(thrown())
    errors.take(thrown(url="/src/App.tsx?t=1700000000000"))
    assert len(await errors.found()) == 1
    waiting = asyncio.create_task(news.heard())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_the_first_frame_that_is_the_projects_counts(errors: PageErrors) -> None:
    frames = "".join(
        f"\n    at x ({url}:2:1)"
        for url in (
            f"{ORIGIN}/node_modules/.vite/deps/react.js?v=1",
            f"{ORIGIN}/@react-refresh",
            f"{ORIGIN}/src/gone.ts",
            "http://evil.test/src/App.tsx",
            f"{ORIGIN}/@fs/etc/passwd",
            f"{ORIGIN}/src/App.tsx",
        )
    )
    errors.take(told("thrown", "Error: no", frames))
    assert await places(errors) == [(APP, 2, 1, 6)]


async def test_what_names_no_file_is_told_on_the_page(errors: PageErrors, project: Project) -> None:
    errors.take(told("thrown", "Error: one", "at http://evil.test/src/App.tsx:1:1"))
    assert await places(errors) == [("package.json", 1, 1, None)]
    project.contents[ProjectPath.parse("index.html")] = "<html>"
    errors.take(told("thrown", "Error: two"))
    assert ("index.html", 1, 1, None) in await places(errors)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("turbopack:///[project]/src/App.tsx", APP),
        ("file:///app/src/App.tsx", APP),
        ("webpack://_N_E/./src/App.tsx?1a2b", APP),
        ("../../../src/App.tsx", APP),
        ("../../../../../../../etc/passwd", None),
        ("file:///etc/passwd", None),
        ("turbopack:///[project]/node_modules/x.js", None),
    ],
)
async def test_bundlers_name_files_in_ways_of_their_own(
    errors: PageErrors, project: Project, source: str, file: str | None
) -> None:
    inner = {"mappings": "AAAA", "sources": [source]}
    sections = {"sections": [{"offset": {"line": 0, "column": 0}, "map": inner}]}
    project.serves("/_next/static/chunks/a.js", b"x\n//# sourceMappingURL=a.js.map")
    project.serves(
        "/_next/static/chunks/a.js.map", json.dumps(sections).encode(), "application/json"
    )
    errors.take(thrown(url="/_next/static/chunks/a.js", place="1:1"))
    assert [each[0] for each in await places(errors)] == [file or "package.json"]


async def test_webpacks_own_names_lead_to_the_file(errors: PageErrors) -> None:
    stack = "at App (webpack-internal:///(app-pages-browser)/./src/App.tsx:40:7)"
    errors.take(told("thrown", "Error: no", stack))
    assert (await places(errors))[0][:2] == (APP, 1)


async def test_a_written_file_ends_what_was_thrown(errors: PageErrors) -> None:
    errors.take(thrown())
    assert await errors.found()
    errors.files_change([APP])
    assert await errors.found() == ()


async def test_what_an_older_version_of_a_file_throws_is_no_news(errors: PageErrors) -> None:
    errors.take(told("loaded"))
    errors.files_change([APP])
    written_ms = time.time_ns() // 1_000_000
    errors.take(thrown())
    errors.take(thrown(url=f"/src/App.tsx?t={written_ms - 1000}"))
    assert await errors.found() == ()
    errors.take(thrown("Error: new", url=f"/src/App.tsx?t={written_ms + 1}"))
    assert len(await errors.found()) == 1


async def test_what_is_reported_before_a_write_does_not_come_after_it(
    errors: PageErrors, project: Project
) -> None:
    project.may_answer.clear()
    errors.take(thrown())
    await asyncio.sleep(0)
    errors.files_change([ProjectPath.parse("src/other.ts")])
    project.may_answer.set()
    assert await errors.found() == ()


async def test_a_page_that_is_loaded_anew_begins_without_errors(
    errors: PageErrors, news: News
) -> None:
    errors.take(thrown())
    assert await errors.found()
    await news.heard()
    errors.take(told("loaded", page="another"))
    assert await errors.found() == ()
    await asyncio.wait_for(news.heard(), 5)
    errors.take(told("loaded", page="a third"))
    waiting = asyncio.create_task(news.heard())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_what_the_dev_server_tells_is_not_told_twice(errors: PageErrors) -> None:
    errors.take(told("thrown", f"TypeError: Failed to fetch dynamically imported module: {ORIGIN}"))
    assert await errors.found() == ()


async def test_the_log_holds_what_pages_throw_and_log(errors: PageErrors, log: Log) -> None:
    errors.take(told("logged", "one\ntwo"))
    errors.take(thrown("Error: three"))
    errors.take(told("logged", "x\n" * 10_000))
    await errors.found()
    lines = [each.text for each in log.lines(0, 500) if each.source == "page"]
    assert lines[:3] == ["one", "two", "Uncaught Error: three"]
    assert len(lines) == 3 + MAX_LOGGED_LINES


async def test_a_flood_of_errors_is_bounded(errors: PageErrors) -> None:
    for number in range(500):
        errors.take(thrown(f"Error: {number}"))
        if number % 20 == 0:
            await errors.found()
    assert len(await errors.found()) == MAX_ERRORS


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"[" * 100_000, b'{"page":"p"}'])
async def test_what_is_no_report_changes_nothing(errors: PageErrors, body: bytes) -> None:
    errors.take(thrown())
    errors.take(body)
    assert len(await errors.found()) == 1
