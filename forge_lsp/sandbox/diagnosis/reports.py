"""What is wrong in a sandbox: is it up, does each module load, do the types hold.

A look costs what has changed: what the last one found is kept, and only what the changes can have
to do with is looked at again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import aiohttp

from forge_lsp.errors import SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import (
    DiagnosticsReport,
    InstallReport,
    SandboxCheck,
    SandboxDiagnostic,
)
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.imports import aliases_in
from forge_lsp.sandbox.diagnosis.modules import STYLES, Modules
from forge_lsp.sandbox.diagnosis.server_errors import SERVER_ERROR, parse_server_error
from forge_lsp.sandbox.diagnosis.subject import Subject
from forge_lsp.sandbox.diagnosis.type_errors import (
    checker_arguments,
    is_syntax_error,
    parse_type_errors,
    with_range,
)
from forge_lsp.sandbox.diagnosis.vite_errors import UNRESOLVED_IMPORT

MAX_DIAGNOSTICS = 500
TSCONFIG = ProjectPath.parse("tsconfig.json")
PACKAGES = ProjectPath.parse("package.json")

NOTICE_S = 15.0
"""How long a dev server may take to notice a package that was installed."""
NOTICE_LOOK_S = 0.2

_UNREADABLE = frozenset({"parse_error", "transform", SERVER_ERROR})
"""What is told of files that the dev server can't read. One that throws can be read, and then has
no errors of grammar that would be left out for it."""
_WITHOUT_TYPES = STYLES | {".html", ".md", ".svg", ".png", ".jpg", ".webp", ".txt", ".ico"}


@dataclass(frozen=True, slots=True)
class _Finding:
    check: SandboxCheck
    diagnostics: Sequence[SandboxDiagnostic] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class _Project:
    """What decides how a project is looked at."""

    aliases: Collection[str]
    checker: Sequence[str]
    """The type checker's arguments; empty where the project has none."""
    page: Page | None
    has_vite: bool


class Diagnosis:
    """The reports of one sandbox. Looks happen one after the other; those that are asked for
    while one is under way are one look together, and see all of their changes."""

    def __init__(self, subject: Callable[[], Awaitable[Subject]]) -> None:
        """`subject` is asked at each look for the sandbox as it is then."""
        self._subject = subject
        self._looking = asyncio.Lock()
        self._changed: set[ProjectPath] | None = None
        """Since the last look, for the next; None where that must see everything."""
        self._asked = 0
        self._answered = 0
        self._report = DiagnosticsReport("", (), ())
        self._modules = Modules()
        self._types: _Finding | None = None
        self._installed: set[str] = set()

    def installed(self, report: InstallReport) -> None:
        """Let the next look wait until the dev server has noticed these packages."""
        self._installed.update(package.name for package in report.installed)

    def forget(self) -> None:
        """Let the next look see everything: something may have changed that nobody names."""
        self._changed = None

    async def report(self, changed: Collection[ProjectPath] | None = None) -> DiagnosticsReport:
        """What is wrong now. With `changed`, the files that were written or deleted since the
        last report, only what they can have to do with is looked at."""
        if changed is None or _change_everything(changed):
            self._changed = None
        elif self._changed is not None:
            self._changed.update(changed)
        self._asked += 1
        number = self._asked
        async with self._looking:
            if self._answered < number:
                await self._look()
            return self._report

    async def _look(self) -> None:
        covers, changed = self._asked, self._changed
        self._changed = set()
        try:
            self._report = await self._looked(changed)
        except BaseException:
            # What it was to see is still to be seen, with what has come since.
            self._changed = _together(changed, self._changed)
            raise
        self._answered = covers

    async def _looked(self, changed: Collection[ProjectPath] | None) -> DiagnosticsReport:
        subject = await self._subject()
        project = await _project(subject)
        installed, self._installed = self._installed, set()
        looks: list[Awaitable[_Finding]] = [_page(subject, project, installed)]
        if project.has_vite:
            looks.append(self._look_at_modules(subject, project, changed))
        if project.checker:
            looks.append(self._look_at_types(subject, project, changed))
        findings = [_process(subject), *await asyncio.gather(*looks)]
        output = [subject.server.output, *(each.output for each in findings)]
        found = _each_problem_once(each for finding in findings for each in finding.diagnostics)
        return DiagnosticsReport(
            "\n".join(filter(None, output)),
            tuple(each.check for each in findings),
            tuple(found[:MAX_DIAGNOSTICS]),
        )

    async def _look_at_modules(
        self, subject: Subject, project: _Project, changed: Collection[ProjectPath] | None
    ) -> _Finding:
        began = time.monotonic()
        detail = await self._modules.look(subject, changed, project.aliases)
        found = self._modules.found
        return _Finding(_check("modules", began, detail, ok=not found), found)

    async def _look_at_types(
        self, subject: Subject, project: _Project, changed: Collection[ProjectPath] | None
    ) -> _Finding:
        known = self._types
        is_concerned = changed is None or any(
            PurePosixPath(path).suffix not in _WITHOUT_TYPES for path in changed
        )
        if known is None or is_concerned:
            # Whoever breaks this off leaves it open what the types are like now.
            self._types = None
            self._types = known = await _types(subject, project)
        return known


async def _project(subject: Subject) -> _Project:
    page, client, configuration, packages = await asyncio.gather(
        _asked(subject, "/"),
        _asked(subject, "/@vite/client"),
        subject.text(TSCONFIG),
        subject.text(PACKAGES),
    )
    has_vite = (
        client is not None and client.status == 200 and client.content_type.endswith("javascript")
    )
    has_types = TSCONFIG in subject.files and '"typescript"' in packages
    return _Project(
        aliases_in(configuration),
        checker_arguments(configuration) if has_types else (),
        page,
        has_vite,
    )


def _process(subject: Subject) -> _Finding:
    server, began = subject.server, time.monotonic()
    running = server.is_running
    detail = "running" if running else server.why_ended or "being restarted"
    return _Finding(_check("dev server", began, detail, ok=running))


async def _page(subject: Subject, project: _Project, installed: Container[str | None]) -> _Finding:
    began = time.monotonic()
    page, failed = project.page, None
    while page is not None and page.status >= 500 and not project.has_vite:
        failed = await parse_server_error(page, subject)
        if failed.package not in installed or time.monotonic() - began > NOTICE_S:
            break
        # The package is there, and the error an old one.
        await asyncio.sleep(NOTICE_LOOK_S)
        page, failed = await _asked(subject, "/"), None
    thrown = await subject.page_errors()
    if page is None:
        return _Finding(_check("page", began, "no answer", ok=False), thrown)
    is_html = page.content_type == "text/html"
    # What a project's own server has at its root is its own matter, as long as it isn't an error.
    answers = page.status == 200 and is_html if project.has_vite else page.status < 500
    found = thrown if failed is None else (*thrown, failed)
    detail = f"{page.status} {page.content_type}, {len(thrown)} error(s) thrown"
    return _Finding(_check("page", began, detail, ok=answers and not thrown), found)


async def _types(subject: Subject, project: _Project) -> _Finding:
    began = time.monotonic()
    try:
        code, output = await subject.run_tsc(project.checker)
    except SandboxFailed as error:
        return _Finding(_check("types", began, error.message, ok=False))
    found = parse_type_errors(output)[:MAX_DIAGNOSTICS]
    files = dict.fromkeys(each.file for each in found)
    texts = await asyncio.gather(*(subject.text(ProjectPath.parse(file)) for file in files))
    sources = dict(zip(files, texts, strict=True))
    placed = [with_range(each, sources[each.file], project.aliases) for each in found]
    detail = f"{len(found)} error(s)" if found or code == 0 else f"tsc ended with code {code}"
    check = _check("types", began, detail, ok=code == 0)
    return _Finding(check, placed, output if code else "")


def _check(label: str, began: float, detail: str, *, ok: bool) -> SandboxCheck:
    return SandboxCheck(label, ok, detail, round((time.monotonic() - began) * 1000))


def _each_problem_once(found: Iterable[SandboxDiagnostic]) -> Sequence[SandboxDiagnostic]:
    """What two looks tell of is told by the first: an import that leads nowhere, and a file that
    doesn't parse, are wrong for the dev server and for the type checker."""
    every = list(found)
    unread = {
        each.file
        for each in every
        if each.source not in ("typescript", "page") and each.code in _UNREADABLE
    }
    once: dict[object, SandboxDiagnostic] = {}
    for each in every:
        if each.file in unread and each.source == "typescript" and is_syntax_error(each):
            continue
        is_import = each.code == UNRESOLVED_IMPORT
        place = (each.file, each.line, each.column)
        once.setdefault((*place, each.code) if is_import else each, each)
    return list(once.values())


def _together(
    one: set[ProjectPath] | None, other: set[ProjectPath] | None
) -> set[ProjectPath] | None:
    return None if one is None or other is None else one | other


def _change_everything(changed: Collection[ProjectPath]) -> bool:
    """Whether one of the files says how the others are looked at."""
    return any(
        path.name in ("package.json", "index.html")
        or path.name.startswith(("tsconfig", "vite.config."))
        for path in changed
    )


async def _asked(subject: Subject, path: str) -> Page | None:
    try:
        return await subject.server.get(path)
    except (aiohttp.ClientError, TimeoutError):
        return None
