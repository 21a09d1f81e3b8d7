"""What a model's reply holds, as the parser gives it.

A whole reply is a sequence of these events. Nothing half-written is among them: only `WholeFile`,
`EditBlocks`, `Deletion` and `Rename` may change a file.
"""

from dataclasses import dataclass

from forge_lsp.events import FileAction
from forge_lsp.paths import ProjectPath


@dataclass(frozen=True, slots=True)
class Prose:
    """Text between the files, for people."""

    text: str


@dataclass(frozen=True, slots=True)
class BodyStarted:
    """A file or an edit was opened; a WholeFile, EditBlocks, Draft or Dropped closes it."""

    path: ProjectPath
    action: FileAction


@dataclass(frozen=True, slots=True)
class BodyPiece:
    """Some more of a file that is written whole; only the WholeFile says what counts of it."""

    path: ProjectPath
    text: str


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file with all of its content."""

    path: ProjectPath
    content: str


@dataclass(frozen=True, slots=True)
class SearchReplace:
    """Whole lines to be found in a file, each with its line end, and what takes their place."""

    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class EditBlocks:
    """An edit of a file, to be made wholly or not at all."""

    path: ProjectPath
    blocks: tuple[SearchReplace, ...]


@dataclass(frozen=True, slots=True)
class Deletion:
    """A file that is to go."""

    path: ProjectPath


@dataclass(frozen=True, slots=True)
class Rename:
    """A file that is to stand elsewhere."""

    old: ProjectPath
    new: ProjectPath


@dataclass(frozen=True, slots=True)
class PackageTag:
    """A package that the reply asks for: a name that npm would accept, perhaps `@` and a range."""

    name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What stood in a file or an edit that the reply left open; never to be applied."""

    path: ProjectPath
    text: str
    action: FileAction = "create"


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something of which nothing is taken, and why: the end of a sentence, for people."""

    path: str
    """As the reply has it; empty where it names none."""
    reason: str


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The reply says that it is complete."""


ReplyEvent = (
    Prose
    | BodyStarted
    | BodyPiece
    | WholeFile
    | EditBlocks
    | Deletion
    | Rename
    | PackageTag
    | Draft
    | Dropped
    | ReplyEnded
)
