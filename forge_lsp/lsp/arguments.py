"""What commands may be given, as the contract has it; every field may be left out."""

from typing import Any, Literal, TypeVar

import msgspec

from forge_lsp.errors import InvalidRequest
from forge_lsp.paths import ProjectPath


class _Arguments(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Document(msgspec.Struct, frozen=True):
    """LSP's TextDocumentIdentifier; a version beside the URI is passed over."""

    uri: str


class Position(msgspec.Struct, frozen=True):
    """As in LSP."""

    line: int
    character: int


class Range(msgspec.Struct, frozen=True):
    """As in LSP."""

    start: Position
    end: Position


class Nothing(_Arguments, frozen=True):
    """No arguments."""


class Prompt(_Arguments, frozen=True):
    """forge.generate and forge.edit."""

    prompt: str = ""
    text_document: Document | None = None
    range: Range | None = None
    files: tuple[str, ...] = ()


class Build(_Arguments, frozen=True):
    """forge.build."""

    prompt: str = ""
    augmenters: tuple[str, ...] = ()
    text_document: Document | None = None


class Resume(_Arguments, frozen=True):
    """forge.resume."""

    run_id: str | None = None
    text_document: Document | None = None


class Skills(_Arguments, frozen=True):
    """forge.skills."""

    text_document: Document | None = None


class RunSkill(_Arguments, frozen=True):
    """forge.skill.run: on a selection, a document, or the whole workspace."""

    alias: str = ""
    text_document: Document | None = None
    range: Range | None = None
    args: Any = None


class RunAugmenter(_Arguments, frozen=True):
    """forge.augmenter.run."""

    alias: str = ""
    dry_run: bool = False
    force: bool = False
    args: Any = None
    text_document: Document | None = None


class NamedFile(msgspec.Struct, frozen=True):
    """A file as HTTP names one."""

    path: str
    content: str


class Apply(_Arguments, frozen=True):
    """forge.apply."""

    fragment_id: str | None = None
    files: dict[str, str] | tuple[NamedFile, ...] = ()
    packages: tuple[str, ...] = ()
    target: Literal["workspace", "sandbox", "both"] = "both"
    text_document: Document | None = None


class GivenDiagnostic(msgspec.Struct, frozen=True):
    """LSP's Diagnostic, as much of it as is of use."""

    range: Range
    message: str
    severity: int = 1
    code: str | int | None = None
    source: str | None = None
    data: Any = None


class Fix(_Arguments, frozen=True):
    """forge.fix."""

    text_document: Document | None = None
    diagnostics: tuple[GivenDiagnostic, ...] = ()


class Fragments(_Arguments, frozen=True):
    """forge.fragments: of the project named, else of the workspace."""

    project_id: str | None = None
    text_document: Document | None = None


class FragmentUpdate(_Arguments, frozen=True):
    """forge.fragment.update."""

    fragment_id: str = ""
    files: dict[str, str | None] = {}
    text_document: Document | None = None


class Conversation(_Arguments, frozen=True):
    """forge.conversation.*: the one named, else the current one; a new one has no name yet."""

    conversation_id: str | None = None
    text_document: Document | None = None


class RunNamed(_Arguments, frozen=True):
    """forge.cancel."""

    run_id: str | None = None


class Runs(_Arguments, frozen=True):
    """forge.runs."""

    limit: int = 20


class Review(_Arguments, frozen=True):
    """forge.review.*: everything that is pending, a change set, a file, or a hunk."""

    change_set_id: str | None = None
    path: str | None = None
    hunk: int | None = None
    hunk_id: str | None = None
    text_document: Document | None = None


class ReviewDiff(Review, frozen=True):
    """forge.review.diff."""

    quiet: bool = False
    """That nothing waits is told by an answer without files, not as an error; for plugins."""


class Undo(_Arguments, frozen=True):
    """forge.undo."""

    change_set_id: str | None = None
    text_document: Document | None = None


class History(_Arguments, frozen=True):
    """forge.history: with `before`, a change set's id, what is older than it; no message names the
    first few with `quiet`."""

    limit: int = 20
    before: str | None = None
    quiet: bool = False
    text_document: Document | None = None


class Restore(_Arguments, frozen=True):
    """forge.restore."""

    change_set_id: str = ""
    text_document: Document | None = None


class SandboxNamed(_Arguments, frozen=True):
    """forge.sandbox.*."""

    sandbox_id: str | None = None
    provider: Literal["local"] | None = None
    text_document: Document | None = None


class SandboxLog(_Arguments, frozen=True):
    """forge.sandbox.logs."""

    sandbox_id: str | None = None
    after: int = 0
    limit: int = 500
    text_document: Document | None = None


class PythonFile(_Arguments, frozen=True):
    """forge.sandbox.run: the file named, else the active one."""

    text_document: Document | None = None


class Packages(_Arguments, frozen=True):
    """forge.packages.install."""

    packages: tuple[str, ...] = ()
    sandbox_id: str | None = None
    text_document: Document | None = None


T = TypeVar("T", bound=_Arguments)


def decode(command: str, given: Any, kind: type[T], example: str) -> T:
    """The arguments of a command; raises `InvalidRequest`, which says how to give them.

    Editors send one object, nothing at all, or an empty list.
    """
    arguments = list(given or ())
    if len(arguments) > 1:
        raise _mistyped(command, f"{len(arguments)} arguments came", example)
    plain = arguments[0] if arguments and arguments[0] is not None else {}
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise _mistyped(command, str(error).rstrip("."), example) from error


def project_path(text: str | None) -> ProjectPath | None:
    """A path that was given, checked; raises `PathRefused`."""
    return None if text is None else ProjectPath.parse(text)


def _mistyped(command: str, what: str, example: str) -> InvalidRequest:
    return InvalidRequest(
        f"{command} can't be given that: {what}.", remedy=f"It takes one object like {example}"
    )
