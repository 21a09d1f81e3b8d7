"""What an earlier build came to, read from its journal, for another to go on from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from forge_lsp.actions.engine import Engine
from forge_lsp.errors import Conflict, NotFound
from forge_lsp.events import Asked, FileFinished, Planned, RunStarted
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.store import RunRecord

PAGE = 500


@dataclass(frozen=True, slots=True)
class Earlier:
    """A build that was broken off."""

    asked: Asked = field(default_factory=Asked)
    planned: Planned | None = None
    """None where it was broken off before there was a plan."""
    files: Mapping[ProjectPath, str] = field(default_factory=dict[ProjectPath, str])
    """Those of the plan that were finished, as they were last."""


async def earlier(engine: Engine, run_id: str) -> Earlier:
    """What the run came to; raises `NotFound` for one that is no build or isn't there,
    `Conflict` for one that is still under way."""
    record = await engine.runs.record(run_id)
    if record.kind != "build":
        raise NotFound(f"The run {run_id} is no build.")
    if record.outcome is None:
        raise Conflict(f"The run {run_id} is still under way.")
    asked, planned = Asked(), None
    finished: dict[ProjectPath, str | None] = {}
    after = 0
    while page := await engine.store.events(run_id, after, PAGE):
        after = page[-1].seq
        for recorded in page:
            match recorded.event:
                case RunStarted(_, _, said) if said is not None:
                    asked = said
                case Planned():
                    planned = recorded.event
                case FileFinished(path, content):
                    finished[ProjectPath.parse(path)] = content
                case _:
                    pass
    wanted = {each.path for each in planned.manifest} if planned else set[str]()
    files = {path: text for path, text in finished.items() if text is not None and path in wanted}
    return Earlier(asked, planned, files)


async def resumable(engine: Engine, project: str) -> RunRecord | None:
    """The project's newest build, where it didn't come to its end; None where there is none."""
    for record in await engine.store.runs(limit=PAGE, project=project):
        if record.kind == "build":
            is_open = record.outcome in (None, "completed")
            return None if is_open else record
    return None
