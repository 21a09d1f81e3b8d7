"""Looking at a sandbox on behalf of a run, which doesn't wait for it forever."""

import asyncio
import logging
from dataclasses import replace

from forge_lsp.errors import BrowserMissing, ForgeError, SandboxFailed, SandboxGone
from forge_lsp.ports.sandbox import DiagnosticsReport, Sandbox, SandboxDiagnostic

log = logging.getLogger(__name__)

LOOK_TIMEOUT_S = 20.0
"""A run doesn't wait longer than this to know what is wrong with the app."""
VISIT_TIMEOUT_S = 8.0
"""Nor longer than this for what its page looks like."""
MOST_DIAGNOSTICS = 10_000
"""Of one report; nobody mends more at once."""
MOST_CHARACTERS = 20_000
"""Of any text in a report."""
MAX_PICTURE_BYTES = 20_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


async def look_at(sandbox: Sandbox) -> DiagnosticsReport:
    """What is wrong in the sandbox; raises `SandboxFailed` where that takes too long to find."""
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            report = await sandbox.diagnostics()
    except TimeoutError as error:
        raise SandboxFailed(
            f"Its errors could not be found within {LOOK_TIMEOUT_S:.0f} s.", remedy=""
        ) from error
    told = tuple(map(sayable, report.diagnostics[:MOST_DIAGNOSTICS]))
    return replace(report, diagnostics=told)


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


def sayable(found: SandboxDiagnostic) -> SandboxDiagnostic:
    """The problem in text that can be stored and sent, whoever told of it."""
    return replace(
        found,
        file=sayable_text(found.file),
        code=sayable_text(found.code),
        message=sayable_text(found.message),
        source=sayable_text(found.source),
    )


def sayable_text(text: str) -> str:
    """The text with its lone surrogates marked, as far as it is of use."""
    return text[:MOST_CHARACTERS].encode(errors="replace").decode()
