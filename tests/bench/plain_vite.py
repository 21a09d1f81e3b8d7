"""A Vite project as everybody makes one, without us."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from .previews import Preview, until_it_answers

STEP_TIMEOUT_S = 600.0


async def create(folder: Path) -> Path:
    """`npm create vite` and `npm install` in `folder`; gives the project."""
    made = ("create", "--yes", "vite@latest", "app", "--", "--template", "react-ts")
    await npm(folder, *made, "--no-interactive")
    await npm(folder / "app", "install", "--no-audit", "--no-fund")
    return folder / "app"


@asynccontextmanager
async def running(project: Path) -> AsyncGenerator[Preview]:
    """Vite, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *("node", "node_modules/vite/bin/vite.js"),
        *("--host", "127.0.0.1", "--port", str(port), "--strictPort"),
        cwd=project,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    preview = Preview(f"http://127.0.0.1:{port}")
    try:
        await until_it_answers(preview)
        yield preview
    finally:
        await preview.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def npm(folder: Path, *arguments: str) -> None:
    """Run npm to its end; raises `RuntimeError` where it fails."""
    process = await asyncio.create_subprocess_exec(
        "npm",
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"npm {arguments[0]} failed: {output.decode()[-300:]}")
