"""Changes of an app that a model makes in one go: all of them or none, and never for the worse."""

from collections.abc import Mapping
from dataclasses import dataclass

from forge_lsp import events
from forge_lsp.actions.build.guarding import Guard
from forge_lsp.actions.context import Gathered
from forge_lsp.actions.critiques import files_for
from forge_lsp.actions.drafting import Drafting
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.repair import Repair
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.writing import Writing
from forge_lsp.errors import ForgeError, ModelFailed
from forge_lsp.events import Outcome
from forge_lsp.generation.context import fit
from forge_lsp.generation.prompts import project_context, system_prompt
from forge_lsp.generation.skill_prompts import augmenter_prompt, wish
from forge_lsp.generation.skills import Skill
from forge_lsp.ports.model import Message, Model, ModelRequest
from forge_lsp.ports.workspace import Files
from forge_lsp.runs import Run

MAX_TOLD_CHARACTERS = 1_000
"""Of what the model says of its changes, and of an error that they brought."""
MOST_NAMED = 3
"""Files that a sentence names."""
NOTHING_DONE = "Nothing had to be changed."


class Refused(ModelFailed):
    """The model wouldn't."""

    code = "refused"


class CutOff(ModelFailed):
    """The model's reply isn't whole, so nothing of it was taken."""

    code = "truncated"
    remedy = "Try again."


class Unfit(ModelFailed):
    """A part of the changes can't be made, so none is."""

    code = "edit_unmatched"
    remedy = "Try again."


class MadeWorse(ForgeError):
    """With the changes the app has errors that it didn't have."""

    code = "made_worse"
    remedy = "Nothing of it was kept."


OUTCOMES: Mapping[str, Outcome] = {"refused": "refused", "truncated": "truncated"}
"""By the code of what went wrong; anything else has failed."""


@dataclass(frozen=True, slots=True)
class Augmenting:
    """One augmenter at work, and what it works with."""

    engine: Engine
    model: Model
    run: Run
    skill: Skill
    args: str = ""
    is_part: bool = False
    """Of a run that does more: what the model says isn't streamed."""

    async def write(self, drafts: Drafts, gathered: Gathered) -> None:
        """Ask the model and take its changes into the drafts; raises what fails."""
        drafts.show(gathered.files)
        await self.run.append(events.Stage(f"Augmenting: {self.skill.title}..."))
        has_template = any(path.startswith("vite.config.") for path in gathered.all_paths)
        ask = ModelRequest(
            purpose="augment",
            system=system_prompt(
                whole_files=self.model.info.writes_whole_files, has_template=has_template
            ),
            context=project_context(gathered.files, gathered.all_paths),
            messages=[Message("user", augmenter_prompt(self.skill, args=self.args))],
        )
        settings = self.engine.settings.generation
        writing = Writing(self.run, self.model, drafts, settings, is_one_of_many=self.is_part)
        done = await writing.write(ask)
        if done.stop == "refusal":
            raise Refused(done.detail or "The model refused.")
        if done.stop != "end" and not drafts.is_complete:
            raise CutOff(done.detail or "The reply was cut off before its end.")
        if drafts.given_up:
            names = ", ".join(drafts.given_up[:MOST_NAMED])
            raise Unfit(f"The model's edit of {names} doesn't fit the file.")

    async def gather(self, source: Files) -> Gathered:
        """What the model has to see of a project."""
        asked = GenerateRequest(wish(self.skill, self.args), source, is_edit=True)
        return await files_for(self.engine, self.run, self.model, self.skill, asked)


async def settle(task: Augmenting, work: Drafting, drafts: Drafts) -> str:
    """Show the changes in the sandbox and keep them unless they break something.

    Gives what the model says of them. Raises `MadeWorse`.
    """
    before = dict(work.drafts.changes)
    changed = {path: each for path, each in drafts.changes.items() if before.get(path) != each}
    packages = [name for name in drafts.packages if name not in work.drafts.packages]
    said = drafts.prose.strip()[:MAX_TOLD_CHARACTERS]
    if not changed and not packages:
        return said or NOTHING_DONE
    guard = await _guard(task, work)
    for name in packages:
        work.drafts.packages[name] = None
        await task.run.append(events.PackageNeeded(name))
    work.drafts.changes.update(changed)
    for path, change in changed.items():
        work.applier.put(path, change.after)
    await _check(task, work, guard)
    return said


async def _guard(task: Augmenting, work: Drafting) -> Guard:
    """Look at the app as it is; one that can't be looked at can't be guarded."""
    sandbox = await work.applier.drained()
    repair = Repair(task.engine, task.model, work, sandbox) if sandbox else None
    try:
        return await Guard.begin(work, repair)
    except ForgeError as error:
        await _tell_unseen(task, error)
        return await Guard.begin(work, None)


async def _check(task: Augmenting, work: Drafting, guard: Guard) -> None:
    try:
        await work.install_needed()
        worse = await guard.settle(work.drafts)
    except ForgeError as error:
        await _tell_unseen(task, error)
        return
    if not worse:
        return
    first = worse[0]
    message = first.message[:MAX_TOLD_CHARACTERS].rstrip(".")
    raise MadeWorse(f"With its changes the app has errors: {first.file}:{first.line}: {message}.")


async def _tell_unseen(task: Augmenting, error: ForgeError) -> None:
    if error.code == "store_failed":
        raise error
    told = f"The app was not looked at for errors: {error.for_people()}"
    await task.run.append(events.Problem(error.code, told))


async def drafted_files(task: Augmenting, work: Drafting) -> Gathered:
    """All that the run has drafted, as it is by now, and the files that the skill names."""
    paths = sorted({*await work.source.files(), *work.drafts.changes})
    named = [path for path in task.skill.files if path in paths]
    wanted = list(dict.fromkeys([*named, *work.drafts.changes]))
    texts = {path: text for path in wanted if (text := await work.drafts.text(path)) is not None}
    budget = task.engine.settings.generation.context_tokens
    return Gathered(fit(texts, budget, wanted), paths, None)
