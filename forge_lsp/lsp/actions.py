"""Code actions: everything that one can do at a place, from memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lsprotocol import types

from forge_lsp.lsp.comments import Instruction, instructions_in
from forge_lsp.lsp.documents import lines_of_document
from forge_lsp.lsp.pending import pending_hunks, pending_of
from forge_lsp.lsp.python_commands import is_python
from forge_lsp.lsp.session import Session

REWRITE = "refactor.rewrite.forge"
REVIEW = "refactor.rewrite.forge.review"
QUICK_FIX = "quickfix.forge"
FIX_ALL = "source.fixAll.forge"
SOURCE = "source.forge"
KINDS = (REWRITE, REVIEW, QUICK_FIX, FIX_ALL, SOURCE)
MOST_FIXES = 8
"""Diagnostics of one place that an action each is offered for."""
MOST_TITLE_CHARACTERS = 60
PROMPT_FILE = "/.forge/prompt.md"


def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What fits the place and the kinds asked for."""
    uri, place = params.text_document.uri, params.range
    only = params.context.only
    tags = [types.CodeActionTag.LlmGenerated] if session.client.tags_actions else None
    offered = [
        *_instructions(session, uri, place),
        *_reviews(session, uri, place),
        *_fixes(uri, params.context.diagnostics),
        *_fix_all(session, uri, params.context),
        *_source(session, uri),
    ]
    return [
        types.CodeAction(
            title=each.title,
            kind=each.kind,
            command=each.command,
            diagnostics=each.diagnostics,
            tags=tags,
        )
        for each in offered
        if only is None or any(is_kind_of(each.kind, kind) for kind in only)
    ]


def is_kind_of(kind: str, wanted: str) -> bool:
    """Whether a kind is the wanted one or below it; the empty kind is above all."""
    return wanted in ("", kind) or kind.startswith(f"{wanted}.")


def instructions_of(session: Session, uri: str) -> Sequence[Instruction]:
    """The instruction comments of an open document."""
    document = session.documents.document(uri)
    if document is None or "orge:" not in document.source:
        return ()
    return _instructions_in(document.source)


@lru_cache(maxsize=8)
def _instructions_in(text: str) -> Sequence[Instruction]:
    """Asked again for each lens and action, until something is typed."""
    return instructions_in(lines_of_document(text) if "\r" in text else text.split("\n"))


def edit_command(uri: str, instruction: Instruction, place: types.Range) -> types.Command:
    """Carries an instruction out."""
    start, end = place.start, place.end
    arguments = {
        "prompt": instruction.text,
        "textDocument": {"uri": uri},
        "range": {
            "start": {"line": start.line, "character": start.character},
            "end": {"line": end.line, "character": end.character},
        },
    }
    return types.Command("Forge: do this", "forge.edit", arguments=[arguments])


def line_range(line: int) -> types.Range:
    """All of a line, its end included."""
    return types.Range(types.Position(line, 0), types.Position(line + 1, 0))


@dataclass(frozen=True, slots=True)
class _Offer:
    title: str
    kind: str
    command: types.Command
    diagnostics: list[types.Diagnostic] | None = None


def _instructions(session: Session, uri: str, place: types.Range) -> Iterator[_Offer]:
    first, last = place.start.line, place.end.line
    for instruction in instructions_of(session, uri):
        if first - 1 <= instruction.line <= last and _is_selected(session, uri, place, instruction):
            title = "Forge: do this to the selection"
            yield _Offer(title, REWRITE, edit_command(uri, instruction, place))
        elif first <= instruction.line <= last:
            whole = line_range(instruction.line)
            yield _Offer("Forge: do this", REWRITE, edit_command(uri, instruction, whole))


def _is_selected(session: Session, uri: str, place: types.Range, instruction: Instruction) -> bool:
    """Whether somebody selected the place: where nobody did, Kate and eglot name the word at the
    cursor, Vim the cursor's line, and Helix the character that its cursor is on."""
    start, end, after = place.start, place.end, types.Position(instruction.line + 1, 0)
    if start.line == instruction.line and end <= after:
        return False
    document = session.documents.document(uri)
    if document is None or end.line - start.line > 1:
        return True
    return len(document.text_in_client_range(place).strip()) > 1


def _reviews(session: Session, uri: str, place: types.Range) -> Iterator[_Offer]:
    waiting = pending_of(session, uri)
    if not waiting:
        return
    hunks = pending_hunks(session, uri)
    here = [h for h in hunks if place.start.line <= h.last_line and h.first_line <= place.end.line]
    for hunk in here[:1]:
        yield from _decisions("this change", hunk.arguments(uri))
    for hunk in hunks[:1]:
        yield from _decisions("this file", hunk.file_arguments(uri))
    everything = {"changeSetId": waiting[0].id, "textDocument": {"uri": uri}}
    yield from _decisions("all", everything)
    title = "Forge: show diff"
    yield _offer(title, REVIEW, "forge.review.diff", everything)


def _decisions(what: str, arguments: dict[str, Any]) -> Iterator[_Offer]:
    for verb in ("accept", "reject"):
        title = f"Forge: {verb} {what}"
        yield _offer(title, REVIEW, f"forge.review.{verb}", arguments)


def _fixes(uri: str, diagnostics: Sequence[types.Diagnostic]) -> Iterator[_Offer]:
    for each in diagnostics[:MOST_FIXES]:
        line = each.message.strip().partition("\n")[0]
        if len(line) > MOST_TITLE_CHARACTERS:
            line = f"{line[: MOST_TITLE_CHARACTERS - 1]}…"
        arguments = {"textDocument": {"uri": uri}, "diagnostics": [_plain(each)]}
        title = f'Forge: fix "{line}"'
        command = types.Command(title, "forge.fix", arguments=[arguments])
        yield _Offer(title, QUICK_FIX, command, [each])


def _fix_all(session: Session, uri: str, context: types.CodeActionContext) -> Iterator[_Offer]:
    # Editors carry out every source.fixAll when a file is saved, if they are set up so; asking
    # the model, which costs money, is for a person to decide.
    by_itself = context.trigger_kind == types.CodeActionTriggerKind.Automatic
    if session.previews.marks(uri) and not (by_itself and context.only):
        arguments = {"textDocument": {"uri": uri}}
        yield _offer("Forge: fix all problems in the preview", FIX_ALL, "forge.fix", arguments)


def _plain(diagnostic: types.Diagnostic) -> dict[str, Any]:
    """As `forge.fix` takes it."""
    start, end = diagnostic.range.start, diagnostic.range.end
    return {
        "range": {
            "start": {"line": start.line, "character": start.character},
            "end": {"line": end.line, "character": end.character},
        },
        "message": diagnostic.message,
        "severity": int(diagnostic.severity or types.DiagnosticSeverity.Error),
        "code": diagnostic.code,
        "source": diagnostic.source,
        "data": diagnostic.data,
    }


def _offer(title: str, kind: str, command: str, arguments: dict[str, Any]) -> _Offer:
    return _Offer(title, kind, types.Command(title, command, arguments=[arguments]))


def _source(session: Session, uri: str) -> Iterator[_Offer]:
    if uri.endswith(PROMPT_FILE) and (document := session.documents.document(uri)):
        title = "Forge: generate from this file"
        arguments = {"prompt": document.source, "textDocument": {"uri": uri}}
        yield _offer(title, SOURCE, "forge.generate", arguments)
    engine = session.late.opened
    if engine is not None and engine.settings.sandbox.provider == "e2b":
        yield from _run(session, uri)
    if not session.folders:
        title = "Forge: set up a workspace"
    elif engine is not None and engine.settings.provider == "demo":
        title = "Forge: set up a model"
    else:
        return
    yield _Offer(title, SOURCE, types.Command(title, "forge.status"))


def _run(session: Session, uri: str) -> Iterator[_Offer]:
    if session.folder_of(uri) and is_python(session, uri):
        arguments = {"textDocument": {"uri": uri}}
        yield _offer("Forge: run in the sandbox", SOURCE, "forge.sandbox.run", arguments)
