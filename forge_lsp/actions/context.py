"""Gathers what the model is shown: the few files that matter, within the budget."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forge_lsp import events
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.sources import GivenFiles
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import ModelFailed
from forge_lsp.generation.context import ContextFile, fit
from forge_lsp.generation.selection import (
    SELECTION_SCHEMA,
    Selection,
    default_selection,
    parse_selection,
    selection_prompt,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message, Model, ModelDone, ModelRequest, TextPiece
from forge_lsp.ports.workspace import Files
from forge_lsp.runs import Run

SELECT_SYSTEM = (
    "You choose which files of a project a programmer must see to carry out a request. "
    "Answer with one JSON object and nothing else."
)
MAX_LISTED = 2_000
"""Paths that the small model is shown."""
MAX_FILE_BYTES = 400_000
"""A larger file is never part of a prompt."""
NEVER_SHOWN = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"}
)
"""Written by package managers alone, and large."""
MAX_READ_WHOLE = 200
"""A project with more files isn't small."""
SHARE_FOR_WHOLE = 0.5
"""A project whose text takes more of the budget isn't small either."""
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the model will be shown."""

    files: Sequence[ContextFile]
    all_paths: Sequence[ProjectPath]
    edit_type: events.EditType | None

    @property
    def partial(self) -> frozenset[str]:
        """The files that are shown only in part."""
        return frozenset(file.path for file in self.files if file.is_partial)


async def gather_for_edit(
    run: Run, model: Model, request: GenerateRequest, *, budget_tokens: int
) -> Gathered:
    """Read the files that matter for an edit.

    Of given files all matter. Of a project's, the small model chooses; where it fails or names
    nothing that exists, the usual entry files are taken.
    """
    paths = await request.source.files()
    if isinstance(request.source, GivenFiles):
        selection = default_selection(request.prompt, paths)
        chosen = [*request.first, *selection.paths, *paths]
    else:
        selection = await _select(run, model, request.prompt, paths)
        chosen = [*request.first, *selection.paths]
    await run.append(
        events.ContextSelected(tuple(selection.paths), selection.edit_type, selection.reason)
    )
    contents = await _read(request.source, chosen)
    return Gathered(fit(contents, budget_tokens, chosen), paths, selection.edit_type)


async def gather_for_new(request: GenerateRequest, *, budget_tokens: int) -> Gathered:
    """Read what new code has to fit in with: all of a small project, else only `first`."""
    paths = await request.source.files()
    contents = await _read(request.source, [*request.first, *paths[:MAX_READ_WHOLE]])
    if sum(map(len, contents.values())) > budget_tokens * BYTES_PER_TOKEN * SHARE_FOR_WHOLE:
        contents = await _read(request.source, request.first)
    return Gathered(fit(contents, budget_tokens, request.first), paths, None)


async def _select(run: Run, model: Model, prompt: str, paths: Sequence[ProjectPath]) -> Selection:
    await run.append(events.Stage("Choosing the files that matter..."))
    request = ModelRequest(
        purpose="select",
        system=SELECT_SYSTEM,
        context="",
        messages=[Message("user", selection_prompt(prompt, paths[:MAX_LISTED]))],
        schema=SELECTION_SCHEMA,
    )
    reply = ""
    try:
        async for event in model.stream(request):
            if isinstance(event, TextPiece):
                reply += event.text
            elif isinstance(event, ModelDone):
                await run.append(usage(event))
    except ModelFailed as error:
        await run.append(events.Problem(error.code, f"The files were not chosen: {error.message}"))
    return parse_selection(reply, paths) or default_selection(prompt, paths)


async def _read(source: Files, paths: Iterable[ProjectPath]) -> Mapping[ProjectPath, str]:
    contents: dict[ProjectPath, str] = {}
    for path in dict.fromkeys(paths):
        content = None if path.name in NEVER_SHOWN else await source.read(path)
        if content is None or len(content) > MAX_FILE_BYTES:
            continue
        text = as_text(content)
        if text is not None:
            contents[path] = text
    return contents


def usage(done: ModelDone) -> events.Usage:
    """What a request took, as the journal records it."""
    return events.Usage(
        model=done.model,
        input_tokens=done.usage.input_tokens,
        output_tokens=done.usage.output_tokens,
        cache_read_tokens=done.usage.cache_read_tokens,
        cache_write_tokens=done.usage.cache_write_tokens,
        cost_usd=done.usage.cost_usd,
    )
