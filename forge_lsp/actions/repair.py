"""Repair: what is wrong in the sandbox is mended, by an install or by the model."""

from collections.abc import Sequence

from forge_lsp import events
from forge_lsp.actions.drafting import Drafting
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.looking import look_at
from forge_lsp.actions.screenshots import keep_screenshot
from forge_lsp.actions.writing import Writing
from forge_lsp.errors import ForgeError
from forge_lsp.generation.by_hand import told_by_hand
from forge_lsp.generation.context import ContextFile, fit
from forge_lsp.generation.problems import fix_prompt, new_errors
from forge_lsp.generation.prompts import project_context, system_prompt
from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.ports.model import Message, Model, ModelRequest
from forge_lsp.ports.sandbox import Sandbox, SandboxDiagnostic

Problems = Sequence[SandboxDiagnostic]

MOST_TOLD_CHARACTERS = 1_000
"""Of the problem that a run names when it leaves some."""


class Repair:
    """Mends problems in the sandbox that a run drafts into."""

    def __init__(self, engine: Engine, model: Model, work: Drafting, sandbox: Sandbox) -> None:
        self._engine = engine
        self._settings = engine.settings
        self._model = model
        self._work = work
        self._sandbox = sandbox
        self._run = work.run

    async def look(self, known: Problems) -> Problems:
        """The errors that aren't among the `known` ones; raises `SandboxFailed`.

        The page is looked at first, since only then it throws what it has to throw.
        """
        await keep_screenshot(self._engine, self._sandbox, self._run)
        report = await look_at(self._sandbox)
        errors = sum(each.severity == "error" for each in report.diagnostics)
        warnings = len(report.diagnostics) - errors
        await self._run.append(events.DiagnosticsChanged(errors, warnings))
        return new_errors(known, report.diagnostics)

    async def mend(self, problems: Problems, known: Problems) -> Problems:
        """Mend `problems`; gives what is left of them, and what came to the `known` ones since.

        The model is asked as often as the settings allow, and not again once that made nothing
        better.
        """
        left = await self._install_missing(problems, known)
        most = self._settings.repair.attempts
        for attempt in range(1, most + 1):
            if not left:
                break
            what = "1 problem" if len(left) == 1 else f"{len(left)} problems"
            await self._run.append(events.Stage(f"Mending {what} (try {attempt} of {most})..."))
            await self._ask(left)
            now = await self._install_missing(await self.look(known), known)
            is_better = len(now) < len(left)
            left = now
            if not is_better:
                break
        return left

    async def _install_missing(self, problems: Problems, known: Problems) -> Problems:
        """Install the packages that are missing, so that the model isn't asked to do without."""
        before = dict(self._work.drafts.packages)
        names = [each.package for each in problems if each.package]
        self._work.drafts.packages |= dict.fromkeys(names)
        if self._work.drafts.packages == before:
            return problems
        await self._work.install_needed()
        return await self.look(known)

    async def _ask(self, problems: Problems) -> None:
        drafts, settings = self._work.drafts, self._settings.generation
        named = [ProjectPath.parse(each.file) for each in problems if is_allowed(each.file)]
        wanted = list(dict.fromkeys([*named, *drafts.changes]))
        contents = {path: text for path in wanted if (text := await drafts.text(path)) is not None}
        files = fit(contents, settings.context_tokens, named)
        drafts.show(files)
        await Writing(self._run, self._model, drafts, settings).write(
            await self._request(problems, {str(p): t for p, t in contents.items()}, files)
        )
        await self._work.install_needed()

    async def _request(
        self, problems: Problems, contents: dict[str, str], files: Sequence[ContextFile]
    ) -> ModelRequest:
        paths = sorted({*await self._work.source.files(), *self._work.drafts.changes})
        has_template = any(path.startswith("vite.config.") for path in paths)
        budget_tokens = self._settings.generation.by_hand_tokens
        by_hand = told_by_hand(self._work.by_hand, budget_tokens)
        asked = "\n\n".join(filter(None, [fix_prompt(problems, contents), by_hand]))
        return ModelRequest(
            purpose="code",
            system=system_prompt(
                whole_files=self._model.info.writes_whole_files, has_template=has_template
            ),
            context=project_context(files, paths),
            messages=[Message("user", asked)],
        )


async def mend_new(engine: Engine, model: Model, work: Drafting) -> None:
    """Mend the errors that the run itself brought into its sandbox, and say what is left.

    A sandbox that can't be looked at costs the repair and nothing else.
    """
    sandbox = await work.applier.drained()
    known = work.applier.found_before
    if sandbox is None or known is None:
        return
    repair = Repair(engine, model, work, sandbox)
    try:
        left = await repair.look(known)
        if left:
            left = await repair.mend(left, known)
    except ForgeError as error:
        told = f"The app was not looked at for errors: {error.for_people()}"
        await work.run.append(events.Problem(error.code, told))
        return
    if left:
        await tell_left(work, left)


async def tell_left(work: Drafting, left: Problems) -> None:
    """Say what repair didn't mend."""
    first = left[0]
    count = "1 error is" if len(left) == 1 else f"{len(left)} errors are"
    message = first.message[:MOST_TOLD_CHARACTERS]
    told = f"{count} left in the app: {first.file}:{first.line}: {message}"
    await work.run.append(events.Problem("errors_left", told, first.file))
