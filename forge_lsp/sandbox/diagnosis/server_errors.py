"""What a dev server that isn't Vite says when its page fails.

Next.js names the place at the head of its message (`./app/page.tsx:3:1`), in a frame of code
(`,-[/app/app/page.tsx:3:1]`), or in the stack. It comes with the page, as HTML or as JSON in a
script, and in what the server prints.
"""

import html
import re
from collections.abc import Iterator, Sequence

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.dev_server import Page
from forge_lsp.sandbox.diagnosis.subject import Subject
from forge_lsp.sandbox.diagnosis.vite_errors import (
    MAX_MESSAGE_CHARACTERS,
    project_path,
    unresolved,
    with_end,
)
from forge_lsp.sandbox.output import without_controls

MAX_SAID_CHARACTERS = 100_000
SERVER_ERROR = "server"
MAX_PLACES = 50
"""That are looked at until one of them is a file of the project."""

_UNRESOLVED = re.compile(r"(?:Can't resolve|Cannot find module|find package) '([^'\n]{1,300})'")
_NAME = r"(?:[\w@.+-]|\[[\w.]+\]|\([\w.-]+\))+"
"""A file's or a folder's, as Next.js has them too: `[id]`, `(group)`."""
_PLACE = re.compile(
    rf"(?<![\w/.@+-])(?:file://)?(?P<file>(?:\./|/)?(?:{_NAME}/)*{_NAME}"
    r"\.(?:[cm]?[jt]sx?|vue|svelte|astro|s?css|json|mdx?))"
    r":(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?"
)
_TAG = re.compile(r"<(?:script|style)\b[^>]*>|</?[a-z][^>]{0,1000}>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_THROWN = re.compile(
    r'\\?"name\\?":\\?"(?P<name>\w{0,80}Error)\\?",\\?"message\\?":\\?"(?P<message>[^"\\\n]+)'
)
"""An error as React's server components are told of it."""
_MESSAGE = re.compile(
    r"^\W{0,4}((?:[A-Z]\w*Error|Error|Module not found|Parsing ecmascript[^\n]*|Syntax error)\b"
    r"[^\n]*)",
    re.MULTILINE,
)


async def parse_server_error(page: Page, subject: Subject) -> SandboxDiagnostic:
    """The error that a page with a status of 500 or more tells of, on the project's own file that
    it names first; on package.json where it names none."""
    body = _spoken(page.body.decode(errors="replace"))
    told = _message(body)
    for said in (body, *_printed(without_controls(subject.server.output), told)):
        for path, line, column in _places(said):
            source = await subject.text(path)
            if source:
                message = _message(said) or told or said[:MAX_MESSAGE_CHARACTERS]
                found = SandboxDiagnostic(
                    path, line, column, "error", SERVER_ERROR, message, "dev server"
                )
                return _on_its_import(found, said, source)
    message = told or f"The page answers {page.status}."
    return SandboxDiagnostic("package.json", 1, 1, "error", SERVER_ERROR, message, "dev server")


def _on_its_import(found: SandboxDiagnostic, said: str, source: str) -> SandboxDiagnostic:
    specifier = _UNRESOLVED.search(said)
    if specifier and specifier[1] in source:
        return unresolved(found, specifier[1], source, ())
    return with_end(found, source)


def _printed(output: str, told: str) -> Sequence[str]:
    """The errors that the server has printed, the last one first; with what the page `told`, only
    those that say the same."""
    starts = [match.start(1) for match in _MESSAGE.finditer(output)]
    # A bundler's message has its place on the line before it.
    begins = [output.rfind("\n", 0, max(output.rfind("\n", 0, at), 0)) + 1 for at in starts]
    ends = [*begins[1:], len(output)]
    errors = [output[begin:end] for begin, end in zip(begins, ends, strict=False)]
    first_line = told.partition("\n")[0]
    return [each for each in reversed(errors) if first_line in each]


def _spoken(body: str) -> str:
    """A page as text: without its tags, and with what JSON and HTML write in other ways."""
    text = html.unescape(_TAG.sub("\n", body[:MAX_SAID_CHARACTERS]))
    text = text.replace("\\n", "\n").replace('\\"', '"')
    return without_controls(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), text))


def _message(said: str) -> str:
    """The line that names an error, with the few that follow it."""
    if match := _MESSAGE.search(said):
        few = said[match.start(1) :][:MAX_MESSAGE_CHARACTERS]
        return few.split("\n\n", maxsplit=1)[0].strip()
    thrown = _THROWN.search(said)
    return f"{thrown['name']}: {thrown['message']}"[:MAX_MESSAGE_CHARACTERS] if thrown else ""


def _places(said: str) -> Iterator[tuple[ProjectPath, int, int]]:
    for count, match in enumerate(_PLACE.finditer(said)):
        if count >= MAX_PLACES:
            return
        file = project_path(match["file"].removeprefix("./"))
        if file and not file.startswith(".next/"):
            yield (
                ProjectPath.parse(file),
                max(int(match["line"]), 1),
                max(int(match["column"] or 1), 1),
            )
