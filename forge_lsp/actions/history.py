"""What became of a project so far: its change sets, and the runs that made them."""

from collections.abc import Sequence
from dataclasses import dataclass

from forge_lsp.changes.summaries import ChangeSummary
from forge_lsp.ports.store import RunRecord, Store


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change set with its run, which bears the same id."""

    change_set: ChangeSummary
    run: RunRecord | None
    """None where it is kept no longer."""


async def history(
    store: Store, project: str, *, limit: int, before: str | None = None
) -> Sequence[HistoryEntry]:
    """The newest first; with `before`, a change set's id, those that are older than it.

    Two queries, however long the history is. Raises `StoreFailed`.
    """
    found = await store.change_summaries(project, limit=limit, before=before)
    runs = {run.id: run for run in await store.runs_named([each.id for each in found])}
    return [HistoryEntry(each, runs.get(each.id)) for each in found]
