"""What goes wrong on a sandbox's page while it runs, told on the project's own files.

The reports come from the model's page and may be made up. What is told is bounded, and names
nothing but files that are there.
"""

import asyncio
import logging
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from forge_lsp.clock import now_ms
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.diagnosis.original_places import OriginalPlaces
from forge_lsp.sandbox.log import Log
from forge_lsp.sandbox.news import News
from forge_lsp.sandbox.output import MAX_LINE_CHARACTERS
from forge_lsp.sandbox.reporter.reports import Frame, Happening, PageReport, parse_report

_log = logging.getLogger(__name__)

MAX_ERRORS = 50
MAX_WAITING = 64
"""Reports that nobody has read yet; more are dropped."""
MAX_PAGES = 32
MAX_WRITTEN = 1_000
MAX_LOGGED_LINES = 40
"""Of one message in the log."""
SETTLE_TIMEOUT_S = 2.0

_NOT_LOADED = re.compile(
    r"Failed to fetch dynamically imported module"
    r"|error loading dynamically imported module"
    r"|Importing a module script failed"
)
"""What Chromium, Firefox and Safari say of a module that the dev server wouldn't give: what is
wrong with it is told by the dev server itself."""
_VERSION = re.compile(r"(?:^|&)t=(\d{13})(?:&|$)")


@dataclass(frozen=True, slots=True)
class _Received:
    report: PageReport
    time: int
    """Which state of the files it can speak of: see `PageErrors._time`."""


class PageErrors:
    """The errors of one sandbox's pages since they were loaded or a file was written."""

    def __init__(self, places: OriginalPlaces, log: Log, news: News) -> None:
        """`news` hears of new errors, and of pages that are loaded anew after they had some."""
        self._places = places
        self._log = log
        self._news = news
        self._found: dict[object, SandboxDiagnostic] = {}
        self._seen: set[object] = set()
        self._time = 0
        """Counts up when what was thrown before no longer counts."""
        self._loaded_ms: dict[str, int] = {}
        self._written_ms: dict[str, int] = {}
        self._waiting: asyncio.Queue[_Received] = asyncio.Queue(MAX_WAITING)
        self._task = asyncio.create_task(self._read_all(), name="page-errors")

    async def found(self) -> Sequence[SandboxDiagnostic]:
        """What has been thrown, as far as it has been reported by now."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await self._waiting.join()
        return tuple(self._found.values())

    def take(self, body: bytes) -> None:
        """Take in what a page has sent."""
        report = parse_report(body)
        if report is None or self._task.done():
            return
        for each in report.happened:
            if each.kind == "loaded":
                self._page_was_loaded(report.page)
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(_Received(report, self._time))

    def files_change(self, paths: Collection[str]) -> None:
        """Forget what was thrown: the files are about to be others. What still is wrong comes back.

        To be called before they are written: a page is quick to throw anew, and what it throws
        then must not be taken for what it threw before.
        """
        at_ms = now_ms()
        for path in paths:
            self._written_ms.pop(path, None)
            self._written_ms[path] = at_ms
        _drop_oldest(self._written_ms, MAX_WRITTEN)
        self._clear()

    async def close(self) -> None:
        """Read no more reports."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def _page_was_loaded(self, page: str) -> None:
        self._loaded_ms[page] = now_ms()
        _drop_oldest(self._loaded_ms, MAX_PAGES)
        had_errors = bool(self._found)
        self._clear()
        if had_errors:
            self._news.happened()

    def _clear(self) -> None:
        self._time += 1
        self._found.clear()
        self._seen.clear()

    async def _read_all(self) -> None:
        while True:
            received = await self._waiting.get()
            try:
                for each in received.report.happened:
                    self._log_it(each)
                    if each.kind == "thrown" and not _NOT_LOADED.search(each.text):
                        await self._note(received, each)
            except Exception:  # noqa: BLE001 - It costs that report and no other.
                _log.exception("a report of a page could not be read")
            finally:
                self._waiting.task_done()

    def _log_it(self, happening: Happening) -> None:
        if happening.kind == "loaded":
            return
        text = happening.text if happening.kind == "logged" else f"Uncaught {happening.text}"
        lines = text.split("\n")[:MAX_LOGGED_LINES]
        self._log.add("page", (line.encode()[:MAX_LINE_CHARACTERS] for line in lines))

    async def _note(self, received: _Received, thrown: Happening) -> None:
        key = (thrown.text, tuple(thrown.frames))
        if received.time != self._time or key in self._seen or len(self._found) >= MAX_ERRORS:
            return
        self._seen.add(key)
        found = await self._diagnostic(received.report.page, thrown)
        if found is None or received.time != self._time:
            return
        known = (found.file, found.line, found.column, found.message)
        if known not in self._found:
            self._found[known] = found
            self._news.happened()

    async def _diagnostic(self, page: str, thrown: Happening) -> SandboxDiagnostic | None:
        """The error on the first of the project's files in its stack; on the page where it names
        none. None where what threw it is no longer there."""
        place = await self._places.first(thrown.frames)
        if place is None:
            file = await self._places.page()
            return SandboxDiagnostic(file, 1, 1, "error", "runtime", thrown.text, "page")
        if self._is_of_an_older_file(page, place.path, place.frame):
            return None
        return SandboxDiagnostic(
            file=place.path,
            line=place.line,
            column=place.column,
            severity="error",
            code="runtime",
            message=thrown.text,
            source="page",
            end_line=place.line if place.end_column else None,
            end_column=place.end_column,
        )

    def _is_of_an_older_file(self, page: str, path: ProjectPath, frame: Frame) -> bool:
        """Whether the page still ran what the file was before it was last written.

        Vite marks each version of a module that it sends to a page with its time.
        """
        written_ms = self._written_ms.get(path)
        if written_ms is None:
            return False
        version = _VERSION.search(urlsplit(frame.url).query)
        version_ms = int(version[1]) if version else 0
        return max(version_ms, self._loaded_ms.get(page, 0)) <= written_ms


def _drop_oldest(times: dict[str, int], most: int) -> None:
    while len(times) > most:
        del times[next(iter(times))]
