"""Runs and their journals, as rows."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Double,
    Row,
    String,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.sql.compiler import SQLCompiler

from forge_lsp import events
from forge_lsp.clock import now_ms
from forge_lsp.errors import Gone, StoreFailed
from forge_lsp.events import Event, Recorded, RunFinished, TextDelta, Usage
from forge_lsp.ports.store import REMOVED, JournalEntry, RunRecord
from forge_lsp.store import notices, schema

_INTERRUPTED = RunFinished(
    "failed",
    code="interrupted",
    message="The run was interrupted: the process that ran it has ended. Start it again.",
)

_runs = schema.runs.c
_events = schema.events.c
_cost = bindparam("cost", type_=Double)

_insert_run = insert(schema.runs)
_insert_event = insert(schema.events)
_advance_run = (
    update(schema.runs)
    .where(_runs.id == bindparam("run"))
    .values(
        # A journal that ends elsewhere than just before this group gets NULL, which the column
        # refuses, and the whole transaction with it. So one round trip looks after many runs.
        last_seq=case((_runs.last_seq == bindparam("before"), bindparam("last", type_=BigInteger))),
        input_tokens=_runs.input_tokens + bindparam("input"),
        output_tokens=_runs.output_tokens + bindparam("output"),
        cost_usd=func.coalesce(_runs.cost_usd + _cost, _cost, _runs.cost_usd),
        ended_at=func.coalesce(bindparam("ended", type_=BigInteger), _runs.ended_at),
        outcome=func.coalesce(bindparam("said", type_=String), _runs.outcome),
        journal_bytes=_runs.journal_bytes + bindparam("bytes"),
    )
)
_close_run = (
    update(schema.runs)
    .where(_runs.id == bindparam("run"), _runs.last_seq == bindparam("before"))
    .values(
        last_seq=_runs.last_seq + 1,
        ended_at=bindparam("at", type_=BigInteger),
        outcome=_INTERRUPTED.outcome,
        journal_bytes=_runs.journal_bytes + bindparam("bytes"),
    )
)
_page = (
    select(_events.seq, _events.at, _events.payload)
    .where(_events.run_id == bindparam("run"), _events.seq > bindparam("after"))
    .order_by(_events.seq)
    .limit(bindparam("most"))
)
_run_by_id = select(schema.runs).where(_runs.id == bindparam("run"))
_open_runs = select(schema.runs).where(_runs.ended_at.is_(None))
_note_listener = (
    update(schema.runs)
    .where(_runs.id == bindparam("run"), _runs.ended_at.is_(None))
    .values(heard_at=bindparam("at", type_=BigInteger))
)
_ask_to_cancel = (
    update(schema.runs)
    .where(_runs.id == bindparam("run"), _runs.ended_at.is_(None))
    .values(cancel_asked_at=func.coalesce(_runs.cancel_asked_at, bindparam("at")))
)
_cancels_asked = select(_runs.id).where(
    _runs.owner == bindparam("of"), _runs.ended_at.is_(None), _runs.cancel_asked_at.is_not(None)
)
_owners_of_open_runs = select(_runs.owner).where(
    _runs.account == bindparam("of"), _runs.ended_at.is_(None)
)
_model_tokens = select(func.coalesce(func.sum(_runs.input_tokens + _runs.output_tokens), 0)).where(
    _runs.account == bindparam("of"), _runs.started_at >= bindparam("since")
)


def create_run(connection: Connection, run: RunRecord) -> None:
    """Write the record of a new run."""
    connection.execute(_insert_run, asdict(run))


def append(connection: Connection, entries: Sequence[JournalEntry]) -> None:
    """Write the events and bring their runs' records up to date.

    Raises `StoreFailed`, or the database's own error, where one of the journals would get a gap
    or the same place twice.
    """
    rows: list[dict[str, Any]] = []
    advances: dict[str, dict[str, Any]] = {}
    for entry in entries:
        recorded = entry.recorded
        row = event_row(entry.run_id, recorded)
        rows.append(row)
        advance = advances.get(entry.run_id)
        if advance is None:
            advance = advances[entry.run_id] = _advance(entry.run_id, recorded.seq - 1)
        if recorded.seq != advance["last"] + 1:
            raise StoreFailed("A run's events came in the wrong order, and none was recorded.")
        advance["last"] = recorded.seq
        advance["bytes"] += size(row["payload"])
        _account(advance, recorded.at, recorded.event)
    # The records come first, and in one order: whoever else goes on with one of these runs waits
    # there for its turn, and is then refused.
    connection.execute(_advance_run, [advances[run_id] for run_id in sorted(advances)])
    _insert_events(connection, rows)
    notices.send(connection, notices.RUNS, advances)


def events_after(connection: Connection, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
    """Up to `limit` events of the run with `seq > after`, in order; raises `Gone`."""
    # The cursor's own event comes along: it is missing only where a journal was tidied up.
    rows = connection.execute(_page, {"run": run_id, "after": after - 1, "most": limit + 1}).all()
    if rows and rows[0].seq == after:
        return _recorded(rows[1:])
    page = _recorded(rows[:limit])
    if page and page[0].seq > 1:
        _check_cursor(connection, run_id, after, page[0])
    return page


def events_past(connection: Connection, run_id: str, after: int, limit: int) -> Sequence[Recorded]:
    """The same of a journal whatever was tidied up in it."""
    found = connection.execute(_page, {"run": run_id, "after": after, "most": limit})
    return _recorded(found.all())


def one_run(connection: Connection, run_id: str) -> RunRecord | None:
    """The record of one run."""
    row = connection.execute(_run_by_id, {"run": run_id}).mappings().one_or_none()
    return None if row is None else RunRecord(**row)


def newest_runs(connection: Connection, limit: int, project: str | None) -> Sequence[RunRecord]:
    """The newest runs first, of one project or of all."""
    query = select(schema.runs).order_by(_runs.started_at.desc(), _runs.id.desc()).limit(limit)
    if project is not None:
        query = query.where(_runs.project == project)
    return [RunRecord(**row) for row in connection.execute(query).mappings()]


def runs_named(connection: Connection, run_ids: Sequence[str]) -> Sequence[RunRecord]:
    """Those of the runs that there are."""
    query = select(schema.runs).where(_runs.id.in_(run_ids))
    return [RunRecord(**row) for row in connection.execute(query).mappings()]


def open_runs(connection: Connection) -> Sequence[RunRecord]:
    """The runs that have not ended."""
    return [RunRecord(**row) for row in connection.execute(_open_runs).mappings()]


def owners_of_open_runs(connection: Connection, account: str) -> Sequence[str]:
    """The process of each of the account's runs that have not ended."""
    return connection.scalars(_owners_of_open_runs, {"of": account}).all()


def model_tokens(connection: Connection, account: str, since: int) -> int:
    """What the account's runs that were started since then took, in and out."""
    # PostgreSQL sums big integers up as a decimal.
    return int(connection.scalars(_model_tokens, {"of": account, "since": since}).one())


def note_listener(connection: Connection, run_id: str) -> None:
    """Note that somebody listens to an open run."""
    connection.execute(_note_listener, {"run": run_id, "at": now_ms()})


def ask_to_cancel(connection: Connection, run_id: str) -> None:
    """Note that an open run is to be cancelled, and tell its owner."""
    connection.execute(_ask_to_cancel, {"run": run_id, "at": now_ms()})
    notices.send(connection, notices.CANCELS, [run_id])


def cancels_asked(connection: Connection, owner: str) -> Sequence[str]:
    """The owner's open runs that are to be cancelled."""
    return connection.scalars(_cancels_asked, {"of": owner}).all()


def interrupt(connection: Connection, orphan: RunRecord) -> bool:
    """End the run as failed; False where it has gone on or ended meanwhile."""
    at = now_ms()
    last = msgspec.structs.replace(
        _INTERRUPTED,
        tokens_used=orphan.input_tokens + orphan.output_tokens,
        duration_ms=max(0, at - orphan.started_at),
    )
    row = event_row(orphan.id, Recorded(orphan.last_seq + 1, at, last))
    place = {"run": orphan.id, "before": orphan.last_seq, "at": at, "bytes": size(row["payload"])}
    if connection.execute(_close_run, place).rowcount == 0:
        return False
    connection.execute(_insert_event, row)
    notices.send(connection, notices.RUNS, [orphan.id])
    return True


def size(payload: str) -> int:
    """How much an event's JSON counts in `RunRecord.journal_bytes`."""
    return len(payload.encode())


def _check_cursor(connection: Connection, run_id: str, after: int, following: Recorded) -> None:
    """Raises `Gone` where the event after a cursor whose own is missing may tell it twice."""
    run = one_run(connection, run_id)
    if run is not None and run.journal == "removed":
        raise Gone(REMOVED.format(run_id))
    if after > 0 and isinstance(following.event, TextDelta):
        raise Gone(
            f"The text of the run {run_id} was joined since you last read it.",
            remedy="Read its events from the start.",
        )


def _recorded(rows: Sequence[Row[int, int, Any]]) -> Sequence[Recorded]:
    return [Recorded(seq, at, events.decode(payload)) for seq, at, payload in rows]


def _insert_events(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """As `execute` does, which takes twice as long as the database itself over so many rows."""
    compiled = _compiled_insert(connection.dialect)
    names = compiled.positiontup
    parameters = rows if names is None else [tuple(map(row.__getitem__, names)) for row in rows]
    connection.exec_driver_sql(compiled.string, parameters)


@cache
def _compiled_insert(dialect: Dialect) -> SQLCompiler:
    compiled = _insert_event.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    return compiled


def event_row(run_id: str, recorded: Recorded) -> dict[str, Any]:
    """An event as its row."""
    payload = events.encode(recorded.event).decode()
    return {"run_id": run_id, "seq": recorded.seq, "at": recorded.at, "payload": payload}


def _advance(run_id: str, before: int) -> dict[str, Any]:
    return {
        "run": run_id,
        "before": before,
        "last": before,
        "input": 0,
        "output": 0,
        "bytes": 0,
        "cost": None,
        "ended": None,
        "said": None,
    }


def _account(advance: dict[str, Any], at: int, event: Event) -> None:
    if isinstance(event, Usage):
        advance["input"] += event.input_tokens
        advance["output"] += event.output_tokens
        if event.cost_usd is not None:
            advance["cost"] = (advance["cost"] or 0.0) + event.cost_usd
    elif isinstance(event, RunFinished):
        advance["ended"] = at
        advance["said"] = event.outcome
