"""Looking at a sandbox on behalf of a run, which doesn't wait for it forever."""

import asyncio
import logging

from forge_lsp.errors import BrowserMissing, ForgeError, SandboxFailed, SandboxGone
from forge_lsp.ports.sandbox import DiagnosticsReport, Sandbox

log = logging.getLogger(__name__)

LOOK_TIMEOUT_S = 20.0
"""A run doesn't wait longer than this to know what is wrong with the app."""
VISIT_TIMEOUT_S = 8.0
"""Nor longer than this for what its page looks like."""
MAX_PICTURE_BYTES = 20_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


async def look_at(sandbox: Sandbox) -> DiagnosticsReport:
    """What is wrong in the sandbox; raises `SandboxFailed` where that takes too long to find."""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            return await sandbox.diagnostics()
    except TimeoutError as error:
        raise SandboxFailed(
            f"Its errors could not be found within {LOOK_TIMEOUT_S:.0f} s.", remedy=""
        ) from error


async def visit(sandbox: Sandbox) -> bytes | None:
    """A picture of the sandbox's page; None where there is no browser, or none that can see it.

    What the page throws when it is looked at is among the sandbox's diagnostics from then on.
    """
    try:
        async with asyncio.timeout(VISIT_TIMEOUT_S):
            picture = await sandbox.screenshot()
    except (BrowserMissing, SandboxGone):
        return None
    except (ForgeError, TimeoutError) as error:
        log.warning("no picture of %s: %s", sandbox.id, str(error) or "it took too long")
        return None
    if not picture.startswith(_PNG) or len(picture) > MAX_PICTURE_BYTES:
        log.warning("no picture of %s: what came is none", sandbox.id)
        return None
    return picture
