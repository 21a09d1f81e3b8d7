"""From what a browser ran back to the project's files."""

import asyncio
import posixpath
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import aiohttp

from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.places import lines_of, token_end
from forge_lsp.sandbox.diagnosis.source_maps import (
    Origin,
    SourceMap,
    inline_map,
    map_reference,
    origin_of,
    parse_map,
)
from forge_lsp.sandbox.diagnosis.vite_errors import project_path
from forge_lsp.sandbox.reporter.reports import Frame

MAX_ASKED = 8
"""Modules that the dev server is asked for, for one error."""
_FOREIGN = re.compile(r"^/(node_modules/|@(?!fs/app/)|__forge/)|/node_modules/")
_BUNDLERS = re.compile(r"^(?:(?:turbopack|webpack)://[^/]*/(?:\[project\]/|\./)?|file://)")
"""What bundlers put before the paths of sources."""
_WEBPACK_MODULE = re.compile(r"^webpack-internal:///(?:\([\w-]+\)/)?\./(?P<path>[^?]+)")

Get = Callable[[str], Awaitable[Page]]
"""Asks the dev server; raises `aiohttp.ClientError` or `TimeoutError`."""
Read = Callable[[ProjectPath], Awaitable[bytes]]
"""Reads a file of the project; raises `ForgeError`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file of the project something happened."""

    path: ProjectPath
    line: int
    column: int
    end_column: int | None
    frame: Frame
    """The place in what the browser ran."""


class OriginalPlaces:
    """Finds places by the source maps of one sandbox's dev server."""

    def __init__(self, host: str, get: Get, read: Read) -> None:
        """`host` is the name that the preview's pages have, without a port."""
        self._host = host
        self._get = get
        self._read = read

    async def first(self, frames: Sequence[Frame]) -> Place | None:
        """The first of the frames that is in a file of the project."""
        asked = 0
        for frame in frames:
            if asked >= MAX_ASKED:
                return None
            if not self._can_be_the_projects(frame):
                continue
            asked += 1
            if place := await self._place(frame):
                return place
        return None

    async def page(self) -> str:
        """The file to tell of what belongs to no other."""
        index = ProjectPath.parse("index.html")
        return index if await self._text(index) is not None else "package.json"

    def _can_be_the_projects(self, frame: Frame) -> bool:
        if _WEBPACK_MODULE.match(frame.url):
            return "/node_modules/" not in frame.url
        try:
            parts = urlsplit(frame.url)
            is_ours = parts.scheme == "http" and parts.hostname == self._host
        except ValueError:
            return False
        return is_ours and not _FOREIGN.search(parts.path)

    async def _place(self, frame: Frame) -> Place | None:
        if module := _WEBPACK_MODULE.match(frame.url):
            # Its lines are those of what webpack made of the file, which it tells nobody.
            return await self._in_project(Origin(module["path"], 1, 1), "", frame)
        parts = urlsplit(frame.url)
        path = "/" + parts.path.lstrip("/")
        held = await self._map(path + (f"?{parts.query}" if parts.query else ""))
        name = unquote(path).removeprefix("/@fs/app/").removeprefix("/")
        if held is None:
            return await self._in_project(Origin(name, frame.line, frame.column), "", frame)
        origin = await asyncio.to_thread(origin_of, held, frame.line, frame.column)
        return await self._in_project(origin, name, frame) if origin else None

    async def _map(self, target: str) -> SourceMap | None:
        module = await self._asked(target)
        if module is None:
            return None
        if held := inline_map(module):
            return held
        reference = map_reference(module)
        if reference is None or reference.startswith(b"data:"):
            return None
        beside = posixpath.join(
            posixpath.dirname(urlsplit(target).path), reference.decode(errors="replace")
        )
        text = await self._asked(beside) if beside.startswith("/") else None
        return parse_map(text) if text else None

    async def _asked(self, target: str) -> bytes | None:
        try:
            page = await self._get(target)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return page.body if page.status == 200 and page.content_type != "text/html" else None

    async def _in_project(self, origin: Origin, module: str, frame: Frame) -> Place | None:
        """The place, if the source that the map names is a file of the project."""
        name = _BUNDLERS.sub("", origin.source).split("?", maxsplit=1)[0]
        if name == origin.source and not name.startswith("/"):
            name = posixpath.normpath(posixpath.join(posixpath.dirname(module), name))
        file = project_path(name)
        path = ProjectPath.parse(file) if file else None
        text = await self._text(path) if path else None
        lines = lines_of(text) if text is not None else ()
        if path is None or not 0 < origin.line <= len(lines):
            return None
        end = token_end(lines[origin.line - 1], origin.column)
        return Place(path, origin.line, origin.column, end, frame)

    async def _text(self, path: ProjectPath) -> str | None:
        try:
            return (await self._read(path)).decode("utf-8-sig", errors="replace")
        except ForgeError:
            return None
