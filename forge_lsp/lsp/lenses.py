"""Code lenses: the same as the code actions, where editors show such."""

from collections.abc import Iterator

from lsprotocol import types

from forge_lsp.lsp.actions import edit_command, instructions_of, line_range
from forge_lsp.lsp.pending import pending_hunks
from forge_lsp.lsp.session import Session

_DECISIONS = (
    ("✓ accept", "forge.review.accept"),
    ("✗ reject", "forge.review.reject"),
    ("± diff", "forge.review.diff"),
)


def code_lenses(session: Session, params: types.CodeLensParams) -> list[types.CodeLens]:
    """One line above each instruction and each pending change; from memory."""
    uri = params.text_document.uri
    return [*_instructions(session, uri), *_reviews(session, uri)]


def _instructions(session: Session, uri: str) -> Iterator[types.CodeLens]:
    for instruction in instructions_of(session, uri):
        whole = line_range(instruction.line)
        command = edit_command(uri, instruction, whole)
        command.title = "▶ do this"
        yield types.CodeLens(whole, command)


def _reviews(session: Session, uri: str) -> Iterator[types.CodeLens]:
    for hunk in pending_hunks(session, uri):
        for title, command in _DECISIONS:
            arguments = hunk.arguments(uri)
            if command == "forge.review.diff":
                arguments = hunk.file_arguments(uri)
            yield types.CodeLens(
                line_range(hunk.first_line), types.Command(title, command, arguments=[arguments])
            )
