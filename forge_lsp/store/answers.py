"""What requests with an idempotency key were answered, as rows."""

from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from forge_lsp.ports.accounts import AnswerRecord
from forge_lsp.store import engine, schema

_answers = schema.answers.c


def claim(connection: Connection, wanted: AnswerRecord, since: int) -> AnswerRecord | None:
    """Keep the claim, or give the one that is there; forget those from before `since`."""
    connection.execute(delete(schema.answers).where(_answers.claimed_at < since))
    keeping = engine.insert_new(connection, schema.answers).returning(_answers.key)
    there = and_(_answers.account == wanted.account, _answers.key == wanted.key)
    while connection.execute(keeping, asdict(wanted)).one_or_none() is None:
        row = connection.execute(select(schema.answers).where(there)).mappings().one_or_none()
        # Whoever claimed it may have dropped it in between.
        if row is not None:
            return AnswerRecord(**row)
    return None


def save(connection: Connection, answer: AnswerRecord) -> None:
    """Bring a claim up to date, where it still is the same process's."""
    values = {name: getattr(answer, name) for name in ("run_id", "status", "headers", "body")}
    connection.execute(update(schema.answers).where(_same(answer)).values(values))


def drop(connection: Connection, answer: AnswerRecord) -> None:
    """Forget a claim, where it still is the same process's."""
    connection.execute(delete(schema.answers).where(_same(answer)))


def _same(answer: AnswerRecord) -> ColumnElement[bool]:
    return and_(
        _answers.account == answer.account,
        _answers.key == answer.key,
        _answers.owner == answer.owner,
        _answers.claimed_at == answer.claimed_at,
    )
