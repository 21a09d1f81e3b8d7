"""Pictures of the preview, kept for whoever wants to see what a run came to."""

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.looking import visit
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.runs import Run

log = logging.getLogger(__name__)

MOST_KEPT = 50


async def keep_screenshot(engine: Engine, sandbox: Sandbox, run: Run) -> None:
    """Keep a picture of the sandbox as it is now, as the run's; never fails the run."""
    picture = await visit(sandbox)
    if picture is None:
        return
    try:
        await asyncio.to_thread(_write, _place(engine, run.id), picture)
    except OSError as error:
        log.warning("the picture of %s was not kept: %s", sandbox.id, error.strerror)


async def has_screenshot(engine: Engine, run: Run) -> bool:
    """Whether a picture was kept as the run's."""
    return await asyncio.to_thread(_place(engine, run.id).is_file)


async def last_screenshot(engine: Engine, project: str) -> Path | None:
    """The picture of the project's newest run that has one. Raises `StoreFailed`."""
    runs = await engine.store.runs(limit=MOST_KEPT, project=project)
    places = [_place(engine, run.id) for run in runs]
    return await asyncio.to_thread(_first_there, places)


def _place(engine: Engine, run_id: str) -> Path:
    return engine.places.state / "screenshots" / f"{run_id}.png"


def _first_there(places: Sequence[Path]) -> Path | None:
    return next((place for place in places if place.is_file()), None)


def _write(place: Path, picture: bytes) -> None:
    """Whole or not at all, for its owner only; the oldest go when there are too many."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = place.with_suffix(".new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(picture)
    aside.replace(place)
    kept = sorted(place.parent.glob("*.png"), key=_age)
    for old in kept[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


def _age(place: Path) -> float:
    # Another server may take it away meanwhile.
    with suppress(FileNotFoundError):
        return place.stat().st_mtime
    return 0.0
