"""What becomes of the journals of runs that ended long ago, as rows.

Each step is one short transaction, so that whoever writes meanwhile never waits long. Where a
process dies in between, the next one who tidies up goes on from there.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from forge_lsp import events
from forge_lsp.clock import now_ms
from forge_lsp.events import FileDelta, Recorded, TextDelta
from forge_lsp.store import engine, journals, schema

AT_ONCE = 1_000
"""Events that one step looks at."""
MAX_JOINED = 64 * 1024
"""Characters of text that are joined into one event at most."""
_DAY_MS = 24 * 60 * 60 * 1000
_HOUR_MS = 60 * 60 * 1000
_MB = 1_000_000

_runs = schema.runs.c
_events = schema.events.c
_insert_event = insert(schema.events)
_delete_event = delete(schema.events).where(
    _events.run_id == bindparam("of"), _events.seq == bindparam("place")
)


@dataclass(frozen=True, slots=True)
class Place:
    """How far the joining of a run's text has come."""

    seq: int = 0
    """Of the last event that was looked at."""
    next_text: int = 0
    """The index of the next piece of text."""


def outdated(connection: Connection, keep_days: float, keep_mb: float) -> Sequence[str]:
    """The runs whose events are to be removed, the oldest first."""
    ended = (
        select(_runs.id, _runs.ended_at, _runs.journal_bytes)
        .where(_runs.ended_at.is_not(None), _runs.journal_bytes > 0)
        .order_by(_runs.ended_at)
    )
    # PostgreSQL sums big integers up as a decimal.
    excess = int(connection.scalar(select(func.sum(_runs.journal_bytes))) or 0) - keep_mb * _MB
    before = now_ms() - keep_days * _DAY_MS
    found: list[str] = []
    for run in connection.execute(ended):
        if run.ended_at >= before and excess <= 0:
            break
        found.append(run.id)
        excess -= run.journal_bytes
    return found


def remove_some(connection: Connection, run_id: str) -> bool:
    """Remove some of the run's events; whether there are more of them."""
    engine.lock_tidying(connection)
    oldest = select(_events.seq).where(_events.run_id == run_id).order_by(_events.seq)
    seqs = connection.scalars(oldest.limit(AT_ONCE)).all()
    is_last = len(seqs) < AT_ONCE
    # From the first step on nobody is given a part of it.
    _note(connection, run_id, journal="removed")
    if is_last:
        _note(connection, run_id, journal_bytes=0)
    if seqs:
        upto = _events.seq <= seqs[-1]
        connection.execute(delete(schema.events).where(_events.run_id == run_id, upto))
    return not is_last


def loose(connection: Connection, compact_after_h: float) -> Sequence[str]:
    """The runs whose text is to be joined, the oldest first."""
    before = now_ms() - compact_after_h * _HOUR_MS
    is_due = (_runs.ended_at < before, _runs.journal == "whole")
    return connection.scalars(select(_runs.id).where(*is_due).order_by(_runs.ended_at)).all()


def join_some(connection: Connection, run_id: str, place: Place) -> Place | None:
    """Join text within the next of the run's events; None once there are no more of them."""
    engine.lock_tidying(connection)
    run = journals.one_run(connection, run_id)
    if run is None or run.journal != "whole":
        return None
    page = journals.events_past(connection, run_id, place.seq, AT_ONCE)
    if not page:
        _note(connection, run_id, journal="compacted")
        return None
    kept, next_text = joined(page, place.next_text)
    there, left = (set(filter(_is_piece, each)) for each in (page, kept))
    _replace(connection, run_id, there - left, left - there)
    return Place(page[-1].seq, next_text)


def joined(page: Iterable[Recorded], first_text: int) -> tuple[Sequence[Recorded], int]:
    """The events without pieces of files, and with the pieces of text that follow each other as
    one, in the place of the last of them; and the index that the next piece of text has."""
    kept: list[Recorded] = []
    indexes = count(first_text)
    for each in page:
        if isinstance(each.event, FileDelta):
            continue
        last = kept[-1].event if kept else None
        if not isinstance(each.event, TextDelta):
            kept.append(each)
        elif isinstance(last, TextDelta) and len(last.text) + len(each.event.text) <= MAX_JOINED:
            longer = TextDelta(last.text + each.event.text, last.index)
            kept[-1] = Recorded(each.seq, each.at, longer)
        else:
            kept.append(
                msgspec.structs.replace(each, event=TextDelta(each.event.text, next(indexes)))
            )
    return kept, next(indexes)


def _replace(
    connection: Connection, run_id: str, old: Collection[Recorded], new: Collection[Recorded]
) -> None:
    if not old:
        return
    connection.execute(_delete_event, [{"of": run_id, "place": each.seq} for each in old])
    rows = [journals.event_row(run_id, each) for each in new]
    if rows:
        connection.execute(_insert_event, rows)
    more = sum(journals.size(row["payload"]) for row in rows)
    less = sum(journals.size(events.encode(each.event).decode()) for each in old)
    _note(connection, run_id, journal_bytes=_runs.journal_bytes + more - less)


def _note(connection: Connection, run_id: str, **values: Any) -> None:
    connection.execute(update(schema.runs).where(_runs.id == run_id).values(values))


def _is_piece(recorded: Recorded) -> bool:
    return isinstance(recorded.event, TextDelta | FileDelta)
