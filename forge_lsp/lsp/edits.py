"""From the text before and after to edits that an editor takes; pure.

Edits are the changed hunks and nothing else, so cursors, folds and marks elsewhere stay.
"""

import codecs
import re
from collections.abc import Callable, Sequence

from lsprotocol import types

from forge_lsp.changes.hunks import hunks_between

Units = Callable[[str], int]
"""Counts a string as the client counts columns: in UTF-8, UTF-16 or UTF-32 code units."""

EMPTY_DOCUMENT = types.Range(types.Position(0, 0), types.Position(1, 0))
"""All of an empty document: with (0,0)-(0,0) Neovim keeps a blank line below the new text."""

ANNOTATION = "forge"
"""The id of the one annotation in an edit of ours."""

_LONE_CR = re.compile(r"\r(?!\n)")
_LF_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def text_of(content: bytes) -> str | None:
    """The text as an editor shows it, without its mark; None where it isn't UTF-8 text."""
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def text_edits(before: str, after: str, units: Units) -> Sequence[types.TextEdit]:
    """What makes `after` of `before`."""
    if not before:
        return [types.TextEdit(EMPTY_DOCUMENT, after)] if after else []
    old: list[str] = _LF_LINE.findall(before)
    new: list[str] = _LF_LINE.findall(after)
    starts = _line_starts(old, units)
    return [
        types.TextEdit(
            types.Range(starts[hunk.before_start], starts[hunk.before_start + hunk.before_count]),
            "".join(new[hunk.after_start : hunk.after_start + hunk.after_count]),
        )
        for hunk in hunks_between(before, after)
    ]


def file_edits(
    uri: str,
    version: int | None,
    edits: Sequence[types.TextEdit],
    *,
    create: bool,
) -> list[types.TextDocumentEdit | types.CreateFile]:
    """The changes of one document; `create` only for a file that truly isn't there yet:
    Neovim and Helix truncate one that is."""
    changes: list[types.TextDocumentEdit | types.CreateFile] = []
    if create:
        changes.append(types.CreateFile(uri))
    if edits or not create:
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri, version)
        changes.append(types.TextDocumentEdit(identifier, edits))
    return changes


Change = types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile


def plain(changes: Sequence[Change]) -> types.WorkspaceEdit:
    """The texts to replace and nothing else, as every editor takes them."""
    return types.WorkspaceEdit(
        changes={
            each.text_document.uri: [
                edit for edit in each.edits if isinstance(edit, types.TextEdit)
            ]
            for each in changes
            if isinstance(each, types.TextDocumentEdit)
        }
    )


def annotated(changes: Sequence[Change], annotation: types.ChangeAnnotation) -> types.WorkspaceEdit:
    """The changes as one edit, each marked with what it is for."""
    for change in changes:
        if isinstance(change, types.TextDocumentEdit):
            change.edits = [_marked(each) for each in change.edits]
        else:
            change.annotation_id = ANNOTATION
    return types.WorkspaceEdit(
        document_changes=changes, change_annotations={ANNOTATION: annotation}
    )


def _marked(
    edit: types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit,
) -> types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit:
    if isinstance(edit, types.TextEdit):
        return types.AnnotatedTextEdit(ANNOTATION, edit.range, edit.new_text)
    return edit


def _line_starts(lines: Sequence[str], units: Units) -> Sequence[types.Position]:
    """Where each line begins and, at the end, where the text does.

    Our lines end at LF; LSP's end at a lone CR, too.
    """
    starts: list[types.Position] = []
    number = 0
    for line in lines:
        starts.append(types.Position(number, 0))
        number += len(_LONE_CR.findall(line)) + 1
    last = lines[-1]
    if last.endswith("\n"):
        return [*starts, types.Position(number, 0)]
    return [*starts, types.Position(number - 1, units(_LONE_CR.split(last)[-1]))]
