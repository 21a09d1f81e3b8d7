"""What a decision is about, when others may decide meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import Conflict, NotFound
from forge_lsp.paths import ProjectPath

DECIDED = "This change of {} was decided already."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a decision is about: everything that is pending, a change set, a file, or a hunk."""

    change_set_id: str | None = None
    path: ProjectPath | None = None
    hunk: int | None = None
    """0-based, among the hunks of the file that are still pending."""
    hunk_id: str | None = None
    """Which hunk is meant by that number, for who has seen them before another was decided."""


def chosen_of(change_set: ChangeSet, choice: Choice) -> Sequence[FileChange]:
    """The files of which something is decided.

    Raises `Conflict` where nothing is pending, `NotFound` where nothing of that file is.
    """
    if choice.path is None:
        if not change_set.is_pending:
            raise Conflict("Everything in this change was decided already.")
        return change_set.pending
    change = change_set.file(choice.path)
    if change is None or change.state != "pending":
        raise NotFound(f"No change of {choice.path} waits for review.")
    return (change,)


def as_named(choice: Choice, seen: ChangeSet) -> Choice:
    """The choice with the number that its hunk has now; raises `Conflict` where it is no more."""
    change = seen.file(choice.path) if choice.path else None
    if choice.hunk_id is None or change is None or change.state != "pending":
        return choice
    named = [index for index, each in enumerate(change.hunk_ids) if each == choice.hunk_id]
    if choice.hunk in named:
        return choice
    if len(named) != 1:
        raise Conflict(DECIDED.format(choice.path))
    return replace(choice, hunk=named[0])


def as_seen(choice: Choice, seen: ChangeSet, latest: ChangeSet) -> Choice:
    """The choice with its hunk's number of now: a decision before it has numbered them anew.

    Raises `Conflict` where that hunk was decided.
    """
    if choice.hunk is None or choice.path is None:
        return choice
    before, now = seen.file(choice.path), latest.file(choice.path)
    if before is None or now is None or before == now or now.state != "pending":
        return choice
    hunk = now.hunk_of(before, choice.hunk)
    if hunk is None:
        raise Conflict(DECIDED.format(choice.path))
    return replace(choice, hunk=hunk)
