"""The doorway: it listens at once, and costs nothing until somebody knocks."""

import asyncio
import subprocess
import sys
from pathlib import Path

from http_serving import TOKEN, Api, serving

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.errors import StoreFailed
from forge_lsp.http.doorway import Doorway
from forge_lsp.settings import HttpSettings

IDLE = """
import asyncio, sys
from forge_lsp.actions.late import Late
from forge_lsp.http.doorway import Doorway
from forge_lsp.settings import HttpSettings

async def main():
    async def never():
        raise AssertionError("nobody asked")
    doorway = Doorway(Late(never), HttpSettings(), "token")
    assert doorway.open().startswith("http://127.0.0.1:")
    await doorway.close()
    assert not {"aiohttp", "sqlalchemy", "anthropic"} & set(sys.modules)

asyncio.run(main())
"""


def test_until_somebody_knocks_nothing_heavy_is_imported() -> None:
    idle = [sys.executable, "-c", IDLE]
    done = subprocess.run(idle, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()


async def test_many_who_knock_at_the_same_time_are_all_answered(api: Api) -> None:
    answers = await asyncio.gather(*(api.get("/api/health") for _ in range(20)))
    assert {status for status, _ in answers} == {200}


async def test_an_engine_that_does_not_open_is_explained_and_tried_again(tmp_path: Path) -> None:
    tries = 0
    async with serving(tmp_path) as api:

        async def open_at_the_second_try() -> Engine:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise StoreFailed("The database can't be opened.")
            return api.engine

        doorway = Doorway(Late(open_at_the_second_try), HttpSettings(), TOKEN)
        url = doorway.open()
        try:
            async with api.client.get(f"{url}/api/ready") as response:
                assert response.status == 503
                assert (await response.json())["error"].startswith("The database can't be opened.")
            async with api.client.get(f"{url}/api/ready") as response:
                assert response.status == 200
        finally:
            await doorway.close()


async def test_a_closed_doorway_leaves_its_port_free(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        await api.get("/api/health")
        await api.doorway.close()
        again = Doorway(api.doorway._engine, HttpSettings(port=api.port), TOKEN)
        assert again.open() == api.url
        await again.close()
