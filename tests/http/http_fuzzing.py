"""Asks the API what its description allows, and what it doesn't."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from http_serving import TOKEN, Api

HERE = Path(__file__).parent
EXAMPLES = 8
FUZZING_S = 100


async def fuzz(api: Api, folder: Path, *chosen: str) -> None:
    """Fail on anything that schemathesis finds with all of its checks."""
    command = (
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{api.url}/openapi.json"),
        *("--checks", "all", "--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
        *("--header", f"Authorization: Bearer {TOKEN}", *chosen),
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "SCHEMATHESIS_HOOKS": "http_formats",
        "NO_PROXY": "127.0.0.1",
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(FUZZING_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()[-6000:]
