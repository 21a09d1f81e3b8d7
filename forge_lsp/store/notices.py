"""What PostgreSQL tells whoever listens, once it is committed; SQLite tells nobody."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

RUNS = "forge_runs"
"""The channel on which the ids of runs are named whose journals have grown."""
CANCELS = "forge_cancels"
"""The channel on which the ids of runs are named that somebody asked to cancel."""

_notify = text("SELECT pg_notify(:channel, id) FROM unnest(CAST(:ids AS text[])) AS id")


def send(connection: Connection, channel: str, run_ids: Iterable[str]) -> None:
    """Name these runs on a channel when the transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(_notify, {"channel": channel, "ids": list(run_ids)})
