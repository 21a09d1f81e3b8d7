"""A database that is asked on threads: a whole piece of work in each transaction."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from forge_lsp.store.failures import explained
from forge_lsp.store.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """What every part of a store works on."""

    def __init__(self, engine: Engine, place: str) -> None:
        """`place` is how people know it."""
        self._engine = engine
        self._place = place
        self._threads = Threads(place)

    async def _write(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        def in_turn() -> T:
            with explained(self._place), self._engine.begin() as connection:
                return work(connection, *args, **kwargs)

        return await self._threads.write(in_turn)

    async def _read(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        def beside() -> T:
            with explained(self._place), self._engine.connect() as connection:
                return work(connection, *args, **kwargs)

        return await self._threads.read(beside)
