"""Makes edits through the editor, and looks whether they really hold.

An editor's `applied: true` is not believed: Neovim says it for an edit that it dropped. What
counts is the document as the editor tells it afterwards, or the disk.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from forge_lsp.changes.hunks import lines_changed
from forge_lsp.changes.merge import merge_files
from forge_lsp.changes.texts import as_bytes, as_text
from forge_lsp.errors import PathRefused
from forge_lsp.lsp.disk import remove_empty_folders, same_files, write_file
from forge_lsp.lsp.edits import annotated, file_edits, plain, text_edits, text_of
from forge_lsp.lsp.folder import GivenUp, OpenFolder
from forge_lsp.ports.workspace import WorkspaceAnswer, WorkspaceEdit

SEEN_TIMEOUT_S = 2.0
"""How long an edit may take to show in a document or on disk."""
LOOK_EVERY_S = 0.05
"""How often the disk is looked at, which tells nobody that it changed."""

DELETED = "it was deleted since, and was left so"
SAME_FILE = "it and {} are one and the same file here; change them by hand"
CHANGED = "it has changed since, in the same lines; your text was left alone"
NOT_SEEN = (
    "the editor did not make the change; save or close the file there and accept the change again"
)
NOT_MADE = "the editor could not make the change ({}); mend that and accept the change again"
IN_THE_WAY = (
    "an empty file stands in its place; delete it if it stays empty and accept the change again"
)
CANT_DELETE = "this editor can't delete files for a server; delete it yourself"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of one file."""

    edit: WorkspaceEdit
    found: bytes | None
    target: bytes | None


async def apply_edits(
    folder: OpenFolder, label: str, edits: Sequence[WorkspaceEdit]
) -> Sequence[WorkspaceAnswer]:
    """Make the edits; an answer for each, in their order."""
    answers: dict[int, WorkspaceAnswer] = {}
    through_editor: dict[int, _Plan] = {}
    # A link, or a disk on which case makes no difference: one edit would take the other's ground.
    same = await asyncio.to_thread(same_files, folder.root, [edit.path for edit in edits])
    for index, edit in enumerate(edits):
        planned = await _plan(folder, edit)
        if edit.path in same:
            planned = _refused(
                edit, SAME_FILE.format(same[edit.path]), await folder.read(edit.path)
            )
        if isinstance(planned, WorkspaceAnswer):
            answers[index] = planned
        elif planned.found == planned.target:
            answers[index] = _done(_begun(folder, planned), planned.target)
        elif _is_for_editor(planned):
            through_editor[index] = planned
        else:
            answers[index] = await _write(folder, planned)
    seen = await _through_editor(folder, label, list(through_editor.values()))
    answers |= dict(zip(through_editor, seen, strict=True))
    return [answers[index] for index in range(len(edits))]


async def _plan(folder: OpenFolder, edit: WorkspaceEdit) -> _Plan | WorkspaceAnswer:
    if why := await asyncio.to_thread(folder.why_unsafe, edit.path):
        return _refused(edit, why)
    found = await folder.read(edit.path)
    target = _rebased(edit, found)
    if target is None and edit.after is not None:
        # Editors may leave an empty file behind where they could not fill it.
        is_empty = edit.before is None and found == b""
        why = DELETED if found is None else CHANGED
        return _refused(edit, IN_THE_WAY if is_empty else why, found)
    if target is None and found is not None:
        if not _says_the_same(found, edit.before):
            return _refused(edit, CHANGED, found)
        if not folder.client.can(types.ResourceOperationKind.Delete):
            return _refused(edit, CANT_DELETE, found)
    return _Plan(edit, found, target)


def _rebased(edit: WorkspaceEdit, found: bytes | None) -> bytes | None:
    """What `found` becomes by the edit; None where the file goes, or the edit doesn't fit."""
    if edit.after is None or found == edit.before:
        return edit.after
    if found is None or found == edit.after:
        return found
    text = as_text(edit.after)
    if text is not None and _says_the_same(found, edit.before):
        # Only line ends or the mark differ: editors show those in their own way.
        return as_bytes(text, found)
    merged = merge_files(edit.before, found, edit.after)
    return None if merged is None else merged.content


def _says_the_same(one: bytes | None, other: bytes | None) -> bool:
    if one is None or other is None:
        return one is other
    text = as_text(one)
    return one == other or (text is not None and text == as_text(other))


def _begun(folder: OpenFolder, plan: _Plan) -> _Plan:
    """The plan of a change that stands there already: with what the file held before, where an
    edit that was given up did it after all. Else nothing of it could be undone."""
    given_up = folder.given_up.pop(plan.edit.path, None)
    if given_up is None or not _is_as_meant(plan.found, given_up.target):
        return plan
    return replace(plan, found=given_up.found)


def _is_for_editor(plan: _Plan) -> bool:
    return all(each is None or text_of(each) is not None for each in (plan.found, plan.target))


async def _write(folder: OpenFolder, plan: _Plan) -> WorkspaceAnswer:
    """What no editor can hold as text goes to the disk."""
    if plan.target is None or folder.document(plan.edit.path) is not None:
        return _refused(plan.edit, "it isn't text, and it is open in the editor", plan.found)
    try:
        await asyncio.to_thread(write_file, folder.root, plan.edit.path, plan.target)
    except OSError as error:
        return _refused(plan.edit, f"it can't be written: {error.strerror}", plan.found)
    except PathRefused as error:
        return _refused(plan.edit, error.message, plan.found)
    return _done(plan, plan.target)


async def _through_editor(
    folder: OpenFolder, label: str, plans: Sequence[_Plan]
) -> Sequence[WorkspaceAnswer]:
    """All in one edit, which is one undo step; one by one where an editor refuses the whole."""
    if not plans:
        return ()
    reason = await folder.client.apply_edit(label, await _edit_of(folder, label, plans))
    if reason is None:
        return await asyncio.gather(*(_look(folder, plan) for plan in plans))
    answers: list[WorkspaceAnswer] = []
    for plan in plans:
        answer = await _look_once(folder, plan, reason)
        if not answer.ok and len(plans) > 1:
            answer = await _alone(folder, label, plan)
        answers.append(answer)
    return answers


async def _alone(folder: OpenFolder, label: str, plan: _Plan) -> WorkspaceAnswer:
    changed = await _plan(folder, plan.edit)
    if isinstance(changed, WorkspaceAnswer):
        return changed
    plan = replace(changed, found=plan.found)
    reason = await folder.client.apply_edit(label, await _edit_of(folder, label, [changed]))
    return await (_look(folder, plan) if reason is None else _look_once(folder, plan, reason))


async def _edit_of(folder: OpenFolder, label: str, plans: Sequence[_Plan]) -> types.WorkspaceEdit:
    """With what it is for, where the editor shows that. It was reviewed already, so the editor
    needs nobody's word for it again."""
    changes = [change for plan in plans for change in await _changes(folder, plan)]
    if not folder.client.takes_document_changes:
        return plain(changes)
    if not folder.client.annotates_edits:
        return types.WorkspaceEdit(document_changes=changes)
    counts = [lines_changed(plan.found, plan.target) for plan in plans]
    counted = f"+{sum(added for added, _ in counts)} -{sum(removed for _, removed in counts)}"
    ids = dict.fromkeys(plan.edit.change_set_id for plan in plans if plan.edit.change_set_id)
    annotation = types.ChangeAnnotation(
        label=label.removeprefix("Forge: "),
        needs_confirmation=False,
        description=" · ".join([*ids, counted]),
    )
    return annotated(changes, annotation)


async def _changes(
    folder: OpenFolder, plan: _Plan
) -> Sequence[types.TextDocumentEdit | types.CreateFile | types.DeleteFile]:
    uri = folder.uri_of(plan.edit.path)
    if plan.target is None:
        return [types.DeleteFile(uri)]
    document = folder.document(plan.edit.path)
    before = document.source if document else text_of(plan.found or b"")
    edits = text_edits(
        before or "",
        text_of(plan.target) or "",
        folder.documents.position_codec.client_num_units,
    )
    create = plan.found is None and folder.client.can(types.ResourceOperationKind.Create)
    if document:
        return file_edits(document.uri, document.version, edits, create=False)
    return file_edits(uri, None, edits, create=create)


async def _look(folder: OpenFolder, plan: _Plan) -> WorkspaceAnswer:
    """Wait until the document or the disk shows the change."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SEEN_TIMEOUT_S
    while True:
        answer = await _look_once(folder, plan, "")
        if answer.ok or loop.time() >= deadline:
            return answer
        await folder.changes.next(LOOK_EVERY_S)


async def _look_once(folder: OpenFolder, plan: _Plan, reason: str) -> WorkspaceAnswer:
    """Whether the change is there; `reason` is what the editor said where it refused it."""
    found = await folder.read(plan.edit.path)
    folder.given_up.pop(plan.edit.path, None)
    if _is_as_meant(found, plan.target):
        if plan.target is None:
            await asyncio.to_thread(remove_empty_folders, folder.root, plan.edit.path)
        return _done(plan, found)
    if _holds(found, plan):
        # What was typed with it is no part of the change, and stays when it is undone.
        return _done(plan, plan.target)
    folder.given_up[plan.edit.path] = GivenUp(plan.found, plan.target)
    return _refused(plan.edit, NOT_MADE.format(reason) if reason else NOT_SEEN, plan.found)


def _is_as_meant(found: bytes | None, target: bytes | None) -> bool:
    """Up to line ends and the last one of them, which editors hold in their own way."""
    if found is None or target is None:
        return found is target
    one, other = as_text(found), as_text(target)
    if one is None or other is None:
        return found == target
    return one.removesuffix("\n") == other.removesuffix("\n")


def _holds(found: bytes | None, plan: _Plan) -> bool:
    """Whether the change is in there among what was typed meanwhile: it changes nothing more."""
    if found is None or plan.target is None:
        return False
    merged = merge_files(plan.found, found, plan.target)
    return merged is not None and merged.content == found


def _done(plan: _Plan, left: bytes | None) -> WorkspaceAnswer:
    return WorkspaceAnswer(plan.edit.path, ok=True, found=plan.found, left=left)


def _refused(edit: WorkspaceEdit, why: str, found: bytes | None = None) -> WorkspaceAnswer:
    return WorkspaceAnswer(edit.path, ok=False, reason=why, found=found, left=found)
