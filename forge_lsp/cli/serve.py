"""The HTTP API on its own, without an editor."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.actions.tokens import owner_token
from forge_lsp.app import open_engine
from forge_lsp.cli.signals import told_to_end
from forge_lsp.errors import InvalidRequest, PortTaken, StoreFailed
from forge_lsp.http.access import is_loopback
from forge_lsp.http.doorway import Doorway
from forge_lsp.runs import INTERRUPTED
from forge_lsp.settings import HttpSettings, Places, Settings

log = logging.getLogger(__name__)

END_TIMEOUT_S = 0.6
"""How long each of the three, the runs, the API and the engine, may take to close; `docker stop`
gives ten seconds for these and `http.drain_timeout_s`."""


async def serve(settings: Settings, places: Places) -> None:
    """Serve until SIGINT or SIGTERM. One line on stdout tells when and where it is ready.

    Then no new run is taken, and those under way have `http.drain_timeout_s` to end by themselves;
    after that they are interrupted. Being told a second time interrupts them at once.

    Raises `InvalidRequest` for a bind that isn't safe, `PortTaken`, `StoreFailed`.
    """
    token = _token(settings, places)
    async with told_to_end() as end:
        late = Late(lambda: open_engine(settings, places))
        engine = await late.get()
        try:
            doorway = Doorway(late, settings.http, token)
            line = {"url": _opened(doorway), "pid": os.getpid()}
            try:
                with _announced(places.state / "server.json", line):
                    sys.stdout.write(json.dumps(line) + "\n")
                    sys.stdout.flush()
                    await end.wait()
                    end.clear()
                    doorway.drain()
                    await _drained(engine, end, settings.http.drain_timeout_s)
                    await _within(END_TIMEOUT_S, engine.runs.close(INTERRUPTED), "the runs")
            finally:
                await _within(END_TIMEOUT_S, doorway.close(), "the HTTP API")
        finally:
            await _within(END_TIMEOUT_S, engine.close(), "the engine")


async def _drained(engine: Engine, told_again: asyncio.Event, timeout_s: float) -> None:
    """Wait for the runs under way, but neither long nor against whoever is in a hurry."""
    if engine.runs.under_way == 0:
        return
    log.info("waiting for %d runs to end; another signal ends them now", engine.runs.under_way)
    ending = asyncio.create_task(_runs_ended(engine), name="draining")
    hurry = asyncio.create_task(told_again.wait(), name="second signal")
    waits = (ending, hurry)
    await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
    if engine.runs.under_way:
        log.warning("%d runs did not end in time and are interrupted", engine.runs.under_way)


async def _runs_ended(engine: Engine) -> None:
    while (run := engine.runs.newest()) is not None:
        await run.finished()
        # It is still among those under way until its task has taken its last step.
        await asyncio.sleep(0)


def _token(settings: Settings, places: Places) -> str | None:
    http: HttpSettings = settings.http
    if http.auth:
        return owner_token(settings, places)
    if not is_loopback(http.host):
        raise InvalidRequest(
            f"Without a token whoever reaches {http.host} could run code here, so --no-auth "
            "goes with a loopback address only.",
            remedy="Leave --no-auth out, or use --host 127.0.0.1.",
        )
    return None


def _opened(doorway: Doorway) -> str:
    """Its URL; the language server calls the option by another name."""
    try:
        return doorway.open()
    except PortTaken as error:
        remedy = "Choose another with --port; 0 takes any that is free."
        raise PortTaken(error.message, remedy=remedy) from error


@contextmanager
def _announced(path: Path, line: Mapping[str, Any]) -> Generator[None]:
    """Where other programs of this user look for the server, while it runs."""
    text = json.dumps(line) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        aside.replace(path)
    except OSError as error:
        raise StoreFailed(f"{path} can't be written: {error.strerror}.") from error
    try:
        yield
    finally:
        # Another server may have put its own there since.
        if path.is_file() and path.read_text() == text:
            path.unlink()


async def _within(timeout_s: float, closing: Awaitable[None], what: str) -> None:
    """Whoever sent SIGTERM doesn't wait: what isn't closed by then dies with the process."""
    try:
        async with asyncio.timeout(timeout_s):
            await closing
    except TimeoutError:
        log.warning("%s did not close within %.1f s", what, timeout_s)
