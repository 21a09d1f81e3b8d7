"""Where npm, as its user has set it up, takes packages from."""

import asyncio
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.isolation.programs import Node

ANSWER_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """A registry, and what is needed to get there."""

    url: str
    """Without a slash at its end."""
    certificates: Path | None = None
    """A file of certificates to trust beside the machine's own."""
    proxy: str | None = None
    """Beside those that the environment names."""


def find_npm(node: Node) -> Path:
    """npm's own program, which Node runs: the one on PATH, else the one that came with Node.

    It must be where a sandbox can see it. Raises `SandboxFailed` where there is none.
    """
    places = [node.executable.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"]
    if on_path := shutil.which("npm"):
        places.insert(0, Path(on_path).resolve())
    seen = [root for root in (Path("/usr"), node.visible) if root is not None]
    for place in places:
        is_seen = any(place.is_relative_to(root) for root in seen)
        if is_seen and place.suffix == ".js" and place.is_file():
            return place
    raise SandboxFailed(
        "npm was not found beside Node.js.", remedy="Install npm and see that it is on the PATH."
    )


async def find_source(node: Path, npm: Path, chosen: str | None) -> RegistrySource:
    """What npm is set up with; `chosen` beats its registry.

    npm's passwords and tokens stay where they are: nobody here reads them.
    """
    names = ("registry", "cafile", "https-proxy")
    output = await _answer([str(node), str(npm), "config", "get", *names])
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    found = {name: value.strip() for name, value in said.items() if value.strip() != "null"}
    url = (chosen or found.get("registry", "")).rstrip("/")
    if not re.match(r"https?://[^/\s]+", url):
        raise SandboxFailed(
            "The npm registry's address is no http(s) URL.",
            remedy="Correct it with `npm config set registry`, or set FORGE_SANDBOX_REGISTRY_URL.",
        )
    certificates = found.get("cafile")
    return RegistrySource(
        url, Path(certificates) if certificates else None, found.get("https-proxy") or None
    )


async def _answer(command: Sequence[str]) -> str:
    # In a neutral directory, for a workspace's own .npmrc must not choose the registry.
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd="/",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise SandboxFailed("npm does not say which registry it uses.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace")
