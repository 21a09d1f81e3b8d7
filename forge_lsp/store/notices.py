"""What PostgreSQL tells whoever listens, once it is committed; SQLite tells nobody."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

RUNS = "forge_runs"
"""The channel on which the ids of runs are named whose journals have grown."""
CANCELS = "forge_cancels"
"""The channel on which the ids of runs are named that somebody asked to cancel."""

FRAGMENTS = "forge_fragments"
"""The channel on which projects are named of which a fragment has become another."""
MAX_NAME_BYTES = 7_900
"""A notice holds no more (PostgreSQL, "NOTIFY"); a longer name is told as the empty one."""

_notify = text("SELECT pg_notify(:channel, id) FROM unnest(CAST(:ids AS text[])) AS id")


def send(connection: Connection, channel: str, names: Iterable[str]) -> None:
    """Name these on a channel when the transaction is committed."""
    if connection.dialect.name == "postgresql":
        told = [name if len(name.encode()) <= MAX_NAME_BYTES else "" for name in names]
        connection.execute(_notify, {"channel": channel, "ids": told})
