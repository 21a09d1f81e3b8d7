"""Critiques: a skill looks at code or at a text, and says what it finds."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from forge_lsp import events
from forge_lsp.actions.context import (
    MAX_READ_WHOLE,
    Gathered,
    gather_for_edit,
    gather_for_new,
    usage,
)
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.actions.metering import MayGoOn, model_for_run
from forge_lsp.actions.request import GenerateRequest, Selection, check_prompt
from forge_lsp.actions.sources import FirstSeen, GivenFiles
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import InvalidRequest
from forge_lsp.events import RunFinished
from forge_lsp.generation.insights import FoundInsight, InsightParser
from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.reply import Prose
from forge_lsp.generation.skill_prompts import (
    CRITIQUE_SYSTEM,
    critique_prompt,
    numbered_context,
    wish,
)
from forge_lsp.generation.skills import Skill, args_text
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest, Retrying, TextPiece
from forge_lsp.ports.workspace import Files, Workspace
from forge_lsp.runs import Run


@dataclass(frozen=True, slots=True)
class SkillRequest:
    """What a critique is to look at: given text, or files."""

    skill: Skill
    source: Files
    text: str | None = None
    """Looked at instead of the files."""
    args: object = None
    """Any JSON value."""
    selection: Selection | None = None
    first: Sequence[ProjectPath] = ()
    """Files that matter for certain."""
    workspace: Workspace | None = None
    """Whose project it is about, where it is one."""
    account: str = OWNER
    project: str = ""
    """Empty: the workspace's."""
    conversation: str | None = None
    """A stored conversation that this turn continues and is stored in."""
    said: str = ""
    """What the conversation keeps as this turn; empty: what the skill is."""
    may_go_on: MayGoOn | None = None
    """Asks whether it may cost more than the settings allow; None: it may not."""


async def run_skill(engine: Engine, request: SkillRequest) -> Run:
    """Start a run in which a critique writes its text and its insights.

    Raises `InvalidRequest` for an augmenter, for arguments that are no JSON or too long and for
    a text that is empty or too long; `TooManyRuns`, `StoreFailed`.
    """
    if request.skill.kind != "critique":
        raise InvalidRequest(
            f"{request.skill.alias} is an augmenter, which changes files.",
            remedy="Run it as an augmenter.",
        )
    if request.text is not None:
        check_prompt(request.text, engine.settings.generation.max_prompt_bytes)
    args = args_text(request.args)

    async def work(run: Run) -> RunFinished | None:
        return await _carry_out(engine, request, args, run)

    project = request.project or (request.workspace.project if request.workspace else "")
    return await engine.runs.start(
        work, kind="skill", title=request.skill.title, project=project, account=request.account
    )


async def files_for(
    engine: Engine, run: Run, model: Model, skill: Skill, asked: GenerateRequest
) -> Gathered:
    """Read what a skill has to see: all of a small project, else what an edit would, and the
    files that it names itself.

    Raises `InvalidRequest` where there is no file at all.
    """
    there = frozenset(await asked.source.files())
    if not there:
        raise InvalidRequest(
            "There is nothing to look at: the project is empty.",
            remedy="Open a project that has code, or generate some first.",
        )
    named = [path for path in skill.files if path in there]
    asked = replace(asked, first=[*dict.fromkeys([*asked.first, *named])])
    budget = engine.settings.generation.context_tokens
    whole = await gather_for_new(asked, budget_tokens=budget)
    if len(there) > MAX_READ_WHOLE or len(whole.files) <= len(asked.first):
        return await gather_for_edit(run, model, asked, budget_tokens=budget)
    shown = tuple(file.path for file in whole.files)
    await run.append(events.ContextSelected(shown, None, "The project is small: all of it."))
    return whole


async def _carry_out(
    engine: Engine, request: SkillRequest, args: str, run: Run
) -> RunFinished | None:
    await run.append(events.Stage("Reading the code..."))
    model = await model_for_run(engine, request.may_go_on)
    is_given = isinstance(request.source, GivenFiles)
    source = request.source if is_given else FirstSeen(request.source)
    gathered = Gathered((), (), None)
    if request.text is None:
        asked = GenerateRequest(
            wish(request.skill, args), source, is_edit=True, first=request.first
        )
        gathered = await files_for(engine, run, model, request.skill, asked)
    selection = request.selection
    ask = ModelRequest(
        purpose="skill",
        system=CRITIQUE_SYSTEM,
        context="" if request.text is not None else _context(gathered),
        messages=[
            *await _recent(engine, request),
            Message(
                "user",
                critique_prompt(
                    request.skill,
                    args=args,
                    selection=selection.text if selection else None,
                    selection_path=selection.path if selection else None,
                    text=request.text,
                ),
            ),
        ],
    )
    await run.append(events.Stage("Writing..."))
    critique = _Critique(run, source, gathered)
    done = await critique.write(model, ask, engine.settings.generation.max_reply_characters)
    await _remember(engine, request, critique)
    return _ending(done, critique)


def _context(gathered: Gathered) -> str:
    return numbered_context(gathered.files, gathered.all_paths)


class _Critique:
    """One critique as it is written."""

    def __init__(self, run: Run, source: Files, gathered: Gathered) -> None:
        self.found = 0
        self._run = run
        self._source = source
        self._paths = frozenset(gathered.all_paths)
        self._lines: dict[ProjectPath, int] = {}
        self._parser = InsightParser()
        self._prose: list[str] = []

    @property
    def prose(self) -> str:
        """What it says beside its insights."""
        return "".join(self._prose).strip()

    async def write(self, model: Model, ask: ModelRequest, most_characters: int) -> ModelDone:
        """Tell what the model says; gives how its reply ended."""
        length, done = 0, ModelDone("cut", "")
        async with aclosing(model.stream(ask)) as stream:
            async for event in stream:
                match event:
                    case TextPiece(text):
                        await self._tell(self._parser.feed(text))
                        length += len(text)
                        if length > most_characters:
                            told = f"The reply is longer than {most_characters:,} characters."
                            done = ModelDone("cut", "", detail=told)
                            break
                    case Retrying(_, _, delay_s, reason):
                        again = f"{reason} Trying again in {delay_s:.0f} s..."
                        await self._run.append(events.Stage(again))
                    case ModelDone():
                        await self._run.append(usage(event))
                        done = event
        await self._tell(self._parser.finish())
        return done

    async def _tell(self, parsed: Sequence[Prose | FoundInsight]) -> None:
        for each in parsed:
            if isinstance(each, Prose):
                self._prose.append(each.text)
                await self._run.stream_text(each.text)
            else:
                self.found += 1
                await self._run.append(await self._insight(each))

    async def _insight(self, found: FoundInsight) -> events.Insight:
        """With its place, as far as there is one."""
        path = found.path if found.path in self._paths else None
        last = await self._last_line(path) if path else 0
        line = min(found.line, last) if found.line and last else None
        return events.Insight(found.kind, found.label, found.detail, path, line)

    async def _last_line(self, path: ProjectPath) -> int:
        """0 where it has none."""
        if path not in self._lines:
            text = as_text(await self._source.read(path) or b"")
            self._lines[path] = len(lines_of(text or ""))
        return self._lines[path]


async def _recent(engine: Engine, request: SkillRequest) -> Sequence[Message]:
    limit = engine.settings.generation.recent_messages
    if request.conversation is None or not limit:
        return ()
    return await engine.store.messages(request.conversation, limit=limit)


async def _remember(engine: Engine, request: SkillRequest, critique: _Critique) -> None:
    if request.conversation is None:
        return
    said = request.said or f"({request.skill.title}) {request.skill.description}"
    turns = [
        Message("user", said),
        Message("assistant", critique.prose or "(nothing)"),
    ]
    await engine.store.add_messages(request.conversation, turns)


def _ending(done: ModelDone, critique: _Critique) -> RunFinished | None:
    """How the run ends; None for well."""
    match done.stop:
        case "refusal":
            told = done.detail or "The model refused the request."
            return RunFinished("refused", "refused", told)
        case "end" if critique.prose or critique.found:
            return None
        case "end":
            return RunFinished(
                "failed", "empty_reply", "The model answered with nothing. Try again."
            )
        case _:
            told = done.detail or "The reply was cut off before its end."
            return RunFinished("truncated", "truncated", f"{told} What came is kept.")
