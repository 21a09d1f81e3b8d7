"""Projects that are talked with: each message is answered by a generation and its fragment."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from weakref import WeakValueDictionary

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.fragments import make_fragment
from forge_lsp.actions.generate import carry_out
from forge_lsp.actions.request import GenerateRequest, check_prompt, title_of
from forge_lsp.errors import Conflict, ForgeError, NotFound
from forge_lsp.events import RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message
from forge_lsp.ports.projects import ProjectMessage, ProjectRecord
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.ports.workspace import WorkspaceAnswer, WorkspaceEdit
from forge_lsp.runs import CANCELLED, Run

Role = Literal["user", "assistant"]

RECENT = 20
"""Messages of a project that the model is shown."""
_LOOKED_AT = 20
"""Runs of a project, the newest first, among which one may be under way."""


_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
"""By project: of two who look at once whether it is idle, one has to begin first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is being answered."""

    project: ProjectRecord
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
    """Begin a project with its first message. Raises what `send` does."""
    check_prompt(text, engine.settings.generation.max_prompt_bytes)
    now = _now()
    project = ProjectRecord(_new_id("proj"), account, title_of(text), now, now)
    await engine.store.save_project(project)
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
    """Add a message and start the run that answers it.

    Raises `InvalidRequest` for a text that can't be taken, `Conflict` while another message is
    being answered, `TooManyRuns`, `StoreFailed`.
    """
    check_prompt(text, engine.settings.generation.max_prompt_bytes)
    async with _turns.setdefault(project.id, asyncio.Lock()):
        await _check_idle(engine, project)
        answering = _Answering(engine, project, text, image_url)
        run = await engine.runs.start(
            answering.work,
            kind="generate",
            title=title_of(text),
            project=project.id,
            account=project.account,
        )
    await engine.store.save_project(replace(project, updated_at=_now()))
    return Asked(project, run)


class _Answering:
    """One message, and what comes of it."""

    def __init__(
        self, engine: Engine, project: ProjectRecord, text: str, image_url: str | None
    ) -> None:
        self._engine = engine
        self._project = project
        self._text = text
        self._image_url = image_url
        self._before: Mapping[ProjectPath, bytes] = {}
        self._files = ProjectFiles(project.id)

    async def work(self, run: Run) -> RunFinished | None:
        """Generate from the newest fragment, and keep the answer however that ends."""
        recent = await _recent(self._engine, self._project.id)
        await self._add("user", self._text, run, image_url=self._image_url)
        newest = await self._engine.store.newest_fragment(self._project.id)
        if newest is not None:
            self._before = await self._engine.store.fragment_files(newest.id)
            self._files.contents.update(self._before)
        request = GenerateRequest(
            prompt=self._text,
            source=self._files,
            is_edit=bool(self._before),
            recent=recent,
            workspace=self._files,
            account=self._project.account,
            project=self._project.id,
            is_accepted=True,
        )
        failed = CANCELLED.message
        try:
            last = await carry_out(self._engine, request, run)
            failed = last.message if last is not None else ""
        except ForgeError as error:
            failed = error.for_people()
            raise
        finally:
            await self._keep(run, failed)
        return last

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
        changed = sorted(path for path in files if files[path] != before.get(path))
        await self._add(
            "assistant",
            failed or f"Changed: {', '.join(changed) or 'nothing'}.",
            run,
            id=message_id,
            type="ERROR" if failed else "RESULT",
            fragment_id=fragment_id,
        )

    async def _sandbox(self) -> Sandbox | None:
        sandbox = self._engine.sandboxes.of_project(self._project.id)
        return sandbox if sandbox is not None and await sandbox.is_alive() else None

    async def _add(self, role: Role, text: str, run: Run, **fields: Any) -> None:
        told: dict[str, Any] = {"id": _new_id("msg"), **fields}
        message = ProjectMessage(
            project=self._project.id,
            role=role,
            text=text,
            created_at=_now(),
            run_id=run.id,
            **told,
        )
        await self._engine.store.add_project_message(message)


async def _recent(engine: Engine, project_id: str) -> Sequence[Message]:
    told = await engine.store.project_messages(project_id, limit=RECENT)
    return [Message(each.role, each.text) for each in reversed(told)]


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


def _now() -> int:
    return time.time_ns() // 1_000_000
