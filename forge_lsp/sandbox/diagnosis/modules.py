"""Whether each module of a project loads: its Vite is asked for them, as a browser would."""

import asyncio
import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import cast
from urllib.parse import quote, unquote

import aiohttp

from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.places import lines_of
from forge_lsp.sandbox.diagnosis.source_maps import inline_map
from forge_lsp.sandbox.diagnosis.subject import Subject
from forge_lsp.sandbox.diagnosis.vite_errors import (
    UNRESOLVED_IMPORT,
    located,
    parse_error_page,
    unresolved,
)

MAX_MODULES = 500
AT_ONCE = 8
SETTLE_S = 0.1
"""After a change, until Vite has surely seen it: 9 to 25 ms on a quiet machine."""
FRESH_TIMEOUT_S = 2.0
FRESH_LOOK_S = 0.03

STYLES = frozenset({".css", ".scss", ".sass", ".less"})
_SCRIPTS = frozenset({".ts", ".tsx", ".js", ".jsx", ".mjs", ".mts", ".vue", ".svelte"})
_NO_MODULE = re.compile(
    r"\.d\.m?ts$|\.(test|spec|stories)\.\w+$|(^|/)(__tests__|__mocks__|public|dist)/"
)
_IMPORTED = re.compile(r'(?:\bfrom|\bimport)\s*\(?\s*"(/[^"?\n]+)')
_QUOTED = re.compile(r"[\"'`]([^\"'`\n]{1,1024})[\"'`]")


class Modules:
    """What is known of each module; only those that a change can have to do with are asked for
    again."""

    def __init__(self) -> None:
        self._known: dict[ProjectPath, SandboxDiagnostic | None] = {}

    @property
    def found(self) -> Sequence[SandboxDiagnostic]:
        """What is wrong, each once: several modules tell the same error when each of them imports
        the one that is wrong."""
        return tuple(dict.fromkeys(each for each in self._known.values() if each))

    async def look(
        self, subject: Subject, changed: Collection[str] | None, aliases: Collection[str]
    ) -> str:
        """Look at those that `changed` can have to do with, or at all; gives how it went."""
        modules = modules_of(subject.files)
        asked = modules[:MAX_MODULES]
        wanted = asked if changed is None else await self._affected(subject, asked, changed)
        if changed:
            await asyncio.sleep(SETTLE_S)
        look = _Look(subject, aliases)
        answers = await asyncio.gather(*map(look.at, wanted))
        known = self._known | dict(zip(wanted, answers, strict=True))
        self._known = {path: known.get(path) for path in asked}
        left_out = len(modules) - len(asked)
        more = f", {left_out} not looked at" if left_out else ""
        return f"{len(asked)} loaded, {len(self.found)} error(s){more}"

    async def _affected(
        self, subject: Subject, modules: Sequence[ProjectPath], changed: Collection[str]
    ) -> Sequence[ProjectPath]:
        there = frozenset(subject.files)
        gone = {_stem(path) for path in changed if path not in there}
        importers: set[ProjectPath] = set()
        if gone:
            sources = await asyncio.gather(*(subject.text(path) for path in modules))
            importers = {
                path
                for path, source in zip(modules, sources, strict=True)
                if any(_stem(name) in gone for name in _QUOTED.findall(source))
            }
        return [
            path
            for path in modules
            if path in changed
            or path in importers
            or path not in self._known
            or self._known[path] is not None
        ]


def modules_of(files: Sequence[ProjectPath]) -> Sequence[ProjectPath]:
    """The files that a page can load: those in src, or in any folder where there is no src.

    What lies at the project's root configures tools, and is for no browser.
    """
    scripts = [
        path
        for path in files
        if path.suffix in _SCRIPTS | STYLES and "/" in path and not _NO_MODULE.search(path)
    ]
    return [path for path in scripts if path.startswith("src/")] or scripts


class _Look:
    """One look at several modules."""

    def __init__(self, subject: Subject, aliases: Collection[str]) -> None:
        self._subject = subject
        self._files = frozenset(subject.files)
        self._aliases = aliases
        self._turn = asyncio.Semaphore(AT_ONCE)
        # What a module was made of can't always be told, so all of them together have this long.
        self._fresh_until = asyncio.get_running_loop().time() + FRESH_TIMEOUT_S

    async def at(self, path: ProjectPath) -> SandboxDiagnostic | None:
        """What is wrong with the module."""
        async with self._turn:
            source = await self._subject.text(path)
            try:
                page = await self._fresh(path, source)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                message = f"The dev server does not answer ({type(error).__name__})."
                return SandboxDiagnostic(path, 1, 1, "error", "no-answer", message, "forge")
            if page.status != 500:
                return self._dangling(path, source, page)
            found = parse_error_page(path, page.body)
            if found.file != path:
                # The page names another file, which may be gone, or be none of the project's.
                source = await self._subject.text(ProjectPath.parse(found.file))
            return located(found, source, self._aliases)

    async def _fresh(self, path: ProjectPath, source: str) -> Page:
        """The module as Vite makes it of `source`, not of what the file held a moment ago."""
        while True:
            page = await self._subject.server.get("/" + quote(path))
            is_late = asyncio.get_running_loop().time() > self._fresh_until
            if is_late or page.status != 200 or not _is_stale(page.body, source):
                return page
            await asyncio.sleep(FRESH_LOOK_S)

    def _dangling(self, path: ProjectPath, source: str, page: Page) -> SandboxDiagnostic | None:
        """An import of a file that is gone: Vite goes on as if it were there."""
        if not page.content_type.endswith("javascript"):
            return None
        for match in _IMPORTED.finditer(page.body.decode(errors="replace")):
            name = unquote(match[1])[1:]
            is_module = PurePosixPath(name).suffix in _SCRIPTS | STYLES and is_allowed(name)
            is_there = name in self._files or f"public/{name}" in self._files
            if not is_module or is_there or name.startswith("@"):
                continue
            message = f"The imported file {name} does not exist."
            found = SandboxDiagnostic(path, 1, 1, "error", UNRESOLVED_IMPORT, message, "vite")
            specifiers = [each for each in _QUOTED.findall(source) if _stem(each) == _stem(name)]
            return unresolved(found, specifiers[0], source, self._aliases) if specifiers else found
        return None


def _is_stale(module: bytes, source: str) -> bool:
    held = inline_map(module)
    contents = held.get("sourcesContent") if held else None
    if not isinstance(contents, list) or len(cast("list[object]", contents)) != 1:
        return False
    made_of = cast("list[object]", contents)[0]
    return isinstance(made_of, str) and lines_of(made_of) != lines_of(source)


def _stem(path: str) -> str:
    """By what a file is called in imports: its name without its ending, or its folder's."""
    place = PurePosixPath(path)
    stem = place.name.partition(".")[0]
    return place.parent.name if stem == "index" else stem
