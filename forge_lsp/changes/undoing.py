"""Taking accepted change sets back in any order, and going back to any of them.

The accepts of a file follow each other like this, with what somebody typed in between:

    undo_to → undo_from … undo_to → undo_from … what the file holds now

Taking one out leaves the others as if it never had been, so each can still be taken back, in any
order, and the last of them ends with the first bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forge_lsp.changes.sets import ChangeSet, FileChange
from forge_lsp.errors import ChangedSince
from forge_lsp.paths import ProjectPath

Contents = Mapping[ProjectPath, bytes | None]


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo comes to."""

    targets: Contents
    """What each file becomes."""
    undone: ChangeSet
    """The change set afterwards."""
    later: Sequence[ChangeSet]
    """Those accepted after it that are other than before."""


def undo(change_set: ChangeSet, accepted: Sequence[ChangeSet], found: Contents) -> Undo:
    """Take a change set back in files that hold `found`.

    `accepted` are the project's change sets of which something can be undone, in any order.
    Raises `ChangedSince` where what came after doesn't merge; nothing is taken back then.
    """
    targets: dict[ProjectPath, bytes | None] = {}
    others = [each for each in accepted if each.id != change_set.id]
    rebased = {each.id: each for each in others}
    undone = change_set
    for change in change_set.undoable:
        for later in others:
            there = later.file(change.path)
            if there is None or not _is_after(there, change):
                continue
            without = there.without(change)
            if without is None:
                raise _in_the_way(change.path, later.title)
            rebased[later.id] = rebased[later.id].with_file(without)
        merged = change.undone_in(found[change.path])
        if merged is None:
            raise _changed(change.path)
        targets[change.path] = merged.content
        undone = undone.with_file(change.undone())
    return Undo(targets, undone, [rebased[each.id] for each in others if rebased[each.id] != each])


def restore(at: int, accepted: Sequence[ChangeSet], found: Contents) -> Contents:
    """What the files become by taking back all that was accepted after `at`, the latest first.

    Raises `ChangedSince` where one doesn't merge.
    """
    targets = dict(found)
    for change, title in after(at, accepted):
        merged = change.undone_in(targets[change.path])
        if merged is None:
            raise ChangedSince(
                f"{change.path} has changed since, in the lines of “{title}”, so nothing was "
                "restored.",
                remedy="Take your own changes in these lines back first.",
            )
        targets[change.path] = merged.content
    return {path: content for path, content in targets.items() if content != found[path]}


def after(at: int, accepted: Sequence[ChangeSet]) -> Sequence[tuple[FileChange, str]]:
    """What was accepted after `at`, the latest first, with the titles of the change sets."""
    later = [
        (change, change_set.title)
        for change_set in accepted
        for change in change_set.undoable
        if (change.accepted_at or 0) > at
    ]
    return sorted(later, key=lambda each: each[0].accepted_at or 0, reverse=True)


def accepted_again(
    change: FileChange, found: bytes | None, accepted: Sequence[ChangeSet], change_set_id: str
) -> Sequence[ChangeSet]:
    """The change sets that were accepted since `change` last was, once it is accepted again.

    It then stands behind them, with all of its hunks; those that don't merge stay as they are.
    """
    if not change.can_undo or change.follows(found) is None:
        return ()
    moved: list[ChangeSet] = []
    for each in accepted:
        there = each.file(change.path)
        if each.id == change_set_id or there is None or not _is_after(there, change):
            continue
        without = there.without(change)
        if without is not None:
            moved.append(each.with_file(without))
    return moved


def _is_after(one: FileChange, other: FileChange) -> bool:
    return one.can_undo and (one.accepted_at or 0) > (other.accepted_at or 0)


def _changed(path: ProjectPath) -> ChangedSince:
    return ChangedSince(
        f"{path} has changed since, in the same lines, so nothing was undone.",
        remedy="Take your own changes back first, or undo the file by hand.",
    )


def _in_the_way(path: ProjectPath, title: str) -> ChangedSince:
    return ChangedSince(
        f"{path} has changed since, in the same lines, by “{title}”, so nothing was undone.",
        remedy="Undo that first.",
    )
