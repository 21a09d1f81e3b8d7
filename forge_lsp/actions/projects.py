"""Projects that are talked with: each message is answered by a generation and its fragment."""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from forge_lsp.actions.conversations import changed_files, current_conversation, remember
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.fragments import make_fragment
from forge_lsp.actions.generate import carry_out
from forge_lsp.actions.request import GenerateRequest, check_prompt, title_of
from forge_lsp.changes.merge import merge
from forge_lsp.changes.sets import FileChange
from forge_lsp.clock import now_ms
from forge_lsp.errors import Conflict, ForgeError, NotFound, StoreFailed
from forge_lsp.events import RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectMessage, ProjectRecord
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import CANCELLED, Run
from forge_lsp.turns import Turns

log = logging.getLogger(__name__)

Role = Literal["user", "assistant"]

_LOOKED_AT = 20
"""Runs of a project, the newest first, among which one may be under way."""


_turns = Turns()
"""By project: of two who look at once whether it is idle, one has to begin first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is being answered."""

    project: ProjectRecord
    message_id: str
    run: Run


@dataclass(slots=True)
class ProjectFiles:
    """A project's files as a workspace that nobody types into, from its newest fragment on."""

    project: str
    contents: dict[ProjectPath, bytes] = field(default_factory=dict[ProjectPath, bytes])

    async def files(self) -> Sequence[ProjectPath]:
        """All of them, sorted."""
        return sorted(self.contents)

    async def read(self, path: ProjectPath) -> bytes | None:
        """As they are by now."""
        return self.contents.get(path)

    def why_not_writable(self, path: ProjectPath) -> str:
        """Everything that a path can name may be written."""
        del path
        return ""

    async def apply(self, label: str, edits: Sequence[WorkspaceEdit]) -> Sequence[WorkspaceAnswer]:
        """Make the edits; nobody else makes any."""
        del label
        answers: list[WorkspaceAnswer] = []
        for edit in edits:
            found = self.contents.pop(edit.path, None)
            if edit.after is not None:
                self.contents[edit.path] = edit.after
            answers.append(WorkspaceAnswer(edit.path, ok=True, found=found, left=edit.after))
        return answers


async def new_project(
    engine: Engine, account: str, text: str, image_url: str | None = None
) -> Asked:
    """Begin a project with its first message. Raises what `send` does, and then nothing is kept."""
    check_prompt(text, engine.settings.generation.max_prompt_bytes)
    now = now_ms()
    project = ProjectRecord(_new_id("proj"), account, title_of(text), now, now)
    return await send(engine, project, text, image_url)


async def project_of(engine: Engine, account: str, project_id: str) -> ProjectRecord:
    """The account's project; raises `NotFound`, for others' too."""
    found = await engine.store.project(project_id)
    if found is None or found.account != account:
        raise NotFound(f"There is no project {project_id}.")
    return found


async def send(
    engine: Engine, project: ProjectRecord, text: str, image_url: str | None = None
) -> Asked:
    """Start the run that answers a message; gives it once the message is kept.

    Raises `InvalidRequest` for a text that can't be taken, `Conflict` while another message is
    being answered and for a workspace's project, `TooManyRuns`, `StoreFailed`.
    """
    check_prompt(text, engine.settings.generation.max_prompt_bytes)
    if project.folder:
        raise Conflict(f"{project.name} is a folder in an editor, so it is talked with there.")
    async with _turns.of(project.id):
        await _check_idle(engine, project)
        answering = _Answering(engine, project, text, image_url)
        run = await engine.runs.start(
            answering.work,
            kind="generate",
            title=title_of(text),
            project=project.id,
            account=project.account,
        )
    await answering.is_settled.wait()
    if not answering.is_kept:
        raise StoreFailed("The message could not be kept.")
    return Asked(project, answering.message_id, run)


class _Answering:
    """One message, and what comes of it."""

    def __init__(
        self, engine: Engine, project: ProjectRecord, text: str, image_url: str | None
    ) -> None:
        self._engine = engine
        self._project = project
        self._text = text
        self._image_url = image_url
        self._asked_at = now_ms()
        self._newest: FragmentRecord | None = None
        self._before: Mapping[ProjectPath, bytes] = {}
        self._files = ProjectFiles(project.id)
        self._conversation = ""
        self.message_id = _new_id("msg")
        self.is_kept = False
        """The message is in the store."""
        self.is_settled = asyncio.Event()
        """It is, or never will be."""

    async def work(self, run: Run) -> RunFinished | None:
        """Generate from the newest fragment, and keep the answer however that ends."""
        await self._keep_message(run)
        failed = CANCELLED.message
        try:
            last = await carry_out(self._engine, await self._request(), run)
            failed = last.message if last is not None else ""
        except ForgeError as error:
            failed = error.for_people()
            raise
        finally:
            await self._keep(run, failed)
        return last

    async def _request(self) -> GenerateRequest:
        self._newest = newest = await self._engine.store.newest_fragment(self._project.id)
        if newest is not None:
            self._before = await self._engine.store.fragment_files(newest.id, newest.version)
            self._files.contents.update(self._before)
        return GenerateRequest(
            prompt=self._text,
            source=self._files,
            is_edit=bool(self._before),
            conversation=self._conversation,
            workspace=self._files,
            account=self._project.account,
            project=self._project.id,
            is_accepted=True,
        )

    async def _keep_message(self, run: Run) -> None:
        """Keep what is asked, in the project's one conversation."""
        try:
            project = replace(self._project, updated_at=self._asked_at)
            await self._engine.store.save_project(project)
            self._conversation = (await current_conversation(self._engine, project)).id
            await self._add(
                "user",
                self._text,
                run,
                id=self.message_id,
                created_at=self._asked_at,
                image_url=self._image_url,
            )
            self.is_kept = True
        finally:
            self.is_settled.set()

    async def _keep(self, run: Run, failed: str) -> None:
        """Keep the answer: with a fragment where files came of it."""
        files, before = self._files.contents, self._before
        message_id, fragment_id = _new_id("msg"), None
        if files != before:
            title = run.record.title
            sandbox = await self._sandbox()
            fragment = await make_fragment(
                self._engine, self._project, message_id, title, files, sandbox=sandbox
            )
            fragment_id = fragment.id
            await self._take_in(fragment, sandbox)
        changed = sorted(path for path in files if files[path] != before.get(path))
        told = failed or f"Changed: {', '.join(changed) or 'nothing'}."
        changes = [FileChange(path, before.get(path), files[path]) for path in changed]
        await self._add(
            "assistant",
            told,
            run,
            id=message_id,
            type="ERROR" if failed else "RESULT",
            fragment_id=fragment_id,
            changed=changed_files(changes),
        )
        await remember(self._engine, self._conversation, self._text, told)

    async def _take_in(self, fragment: FragmentRecord, sandbox: Sandbox | None) -> None:
        """Bring what was edited in the fragment before while this one was written into it, too.

        Where both changed the same lines, the answer's stand; the edit is in the one before.
        """
        if self._newest is None:
            return
        edited = await self._engine.store.fragment_files(self._newest.id)
        ours = self._files.contents
        taken: dict[ProjectPath, bytes | None] = {}
        for path in sorted(edited.keys() | self._before.keys()):
            base, theirs = self._before.get(path), edited.get(path)
            if theirs != base:
                taken[path] = _merged(base, ours.get(path), theirs)
        changed = {path: each for path, each in taken.items() if each != ours.get(path)}
        if changed:
            at = max(now_ms(), fragment.updated_at + 1)
            await self._engine.store.merge_fragment(
                fragment.id, changed, at=at, reason="Edited meanwhile"
            )
        if taken and sandbox is not None:
            try:
                await sandbox.put(taken)
            except ForgeError as error:
                log.info("sandbox %s lacks an edit: %s", sandbox.id, error.message)

    async def _sandbox(self) -> Sandbox | None:
        sandbox = self._engine.sandboxes.of_project(self._project.id)
        return sandbox if sandbox is not None and await sandbox.is_alive() else None

    async def _add(self, role: Role, text: str, run: Run, **fields: Any) -> None:
        told: dict[str, Any] = {"created_at": max(now_ms(), self._asked_at + 1), **fields}
        message = ProjectMessage(
            project=self._project.id,
            role=role,
            text=text,
            run_id=run.id,
            conversation=self._conversation,
            **told,
        )
        await self._engine.store.add_project_message(message)


def _merged(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | None:
    """What stands where somebody else changed the file from `base` to `theirs` meanwhile."""
    if ours == base:
        return theirs
    if base is None or ours is None or theirs is None:
        return ours
    merged = merge(base, ours, theirs)
    return ours if merged is None else merged


async def _check_idle(engine: Engine, project: ProjectRecord) -> None:
    """Raises `Conflict` while another message is being answered."""
    runs = await engine.store.runs(limit=_LOOKED_AT, project=project.id)
    open_runs = [run for run in runs if run.outcome is None and run.kind == "generate"]
    living = await engine.store.living([run.owner for run in open_runs])
    for run in open_runs:
        if run.owner in living:
            raise Conflict(f"The run {run.id} still answers in this project; wait, or cancel it.")


def _new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(10)}"
