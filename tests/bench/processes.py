"""Starts what is measured as processes of their own, and ends them."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
START_TIMEOUT_S = 60.0


def python(module: str, *arguments: str) -> Sequence[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def environment(home: Path, **more: str) -> Mapping[str, str]:
    """Ours, without what would reach into forge-lsp from outside."""
    outer = ("FORGE_", "ANTHROPIC_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
    keyring = "keyring.backends.null.Keyring"
    return {**kept, "FORGE_HOME": str(home), "PYTHON_KEYRING_BACKEND": keyring, **more}


@asynccontextmanager
async def announcing(command: Sequence[str], variables: Mapping[str, str]) -> AsyncGenerator[str]:
    """A server that tells its URL in a line of JSON once it is ready; gives the URL."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=variables,
        cwd=CHECKOUT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        async with asyncio.timeout(START_TIMEOUT_S):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[2]} ended before it was ready")
        yield json.loads(line)["url"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
