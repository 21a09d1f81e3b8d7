import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from isolation_harness import INSIDE_PYTHON, ROOMY, Attack, Ended, Spawn, give_up

from forge_lsp.sandbox.isolation.confinement import Confined, Confinement, Limits


@pytest.fixture(scope="session")
def confinement() -> Confinement:
    return Confinement()


@pytest.fixture
def directory(confinement: Confinement) -> Iterator[Path]:
    """A sandbox's folder, where its owner can reach it (pytest's own are shut)."""
    root = confinement.data_root(Path(tempfile.gettempdir()))
    place = Path(tempfile.mkdtemp(dir=root, prefix="forge-lsp-test-"))
    os.chown(place, *confinement.owner())
    yield place
    for folder, _, _ in os.walk(place):
        Path(folder).chmod(0o700)
    shutil.rmtree(place)


@pytest.fixture
async def spawn(confinement: Confinement, directory: Path) -> AsyncIterator[Spawn]:
    report = await confinement.report()
    if report.tier != "full":
        give_up(f"{report.detail} {report.remedy}")
    started: list[Confined] = []

    async def start(
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        limits: Limits = ROOMY,
        listen: Sequence[int] = (),
    ) -> Confined:
        confined = await confinement.spawn(
            argv,
            directory=directory,
            environment=environment or {},
            limits=limits,
            listen=listen,
        )
        started.append(confined)
        return confined

    yield start
    for confined in started:
        for listener in confined.listeners.values():
            listener.close()
        await confined.kill()


@pytest.fixture
def attack(spawn: Spawn) -> Attack:
    if not Path(INSIDE_PYTHON).exists():
        give_up(f"The attacks need {INSIDE_PYTHON}.")

    async def run(program: str, *, limits: Limits = ROOMY, within_s: float = 30) -> Ended:
        confined = await spawn([INSIDE_PYTHON, "-c", program], limits=limits)
        try:
            async with asyncio.timeout(within_s):
                output = (await confined.output.read()).decode(errors="replace")
                code = await confined.wait()
        finally:
            await confined.kill()
        return Ended(code, output, confined.ended_because)

    return run
