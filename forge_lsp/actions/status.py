"""What stands ready, what is missing, and how to get it."""

from collections.abc import Sequence
from dataclasses import dataclass

import forge_lsp
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.screenshots import last_screenshot
from forge_lsp.errors import ForgeError
from forge_lsp.ports.sandbox import IsolationReport


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that forge-lsp could use and doesn't have."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Which model answers."""

    provider: str
    code_model: str
    select_model: str
    is_canned: bool


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    """Where code runs, and the workspace's own sandbox."""

    provider: str
    isolation: str
    detail: str
    sandbox_id: str | None
    url: str | None
    is_alive: bool
    screenshot: str | None
    """The path of a PNG that shows what the workspace's last run came to."""


@dataclass(frozen=True, slots=True)
class Status:
    """The whole picture, for people and plugins."""

    version: str
    model: ModelStatus | None
    sandbox: SandboxStatus
    runs_under_way: int
    pending_changes: int
    missing: tuple[Missing, ...]


async def status(engine: Engine, project: str = "") -> Status:
    """Look at everything; never raises for what is merely missing."""
    missing: list[Missing] = []
    model = await _model(engine, missing)
    sandbox = await _sandbox(engine, project, missing)
    return Status(
        version=forge_lsp.__version__,
        model=model,
        sandbox=sandbox,
        runs_under_way=engine.runs.under_way,
        pending_changes=len(engine.reviews.pending(project)),
        missing=tuple(missing),
    )


async def _model(engine: Engine, missing: list[Missing]) -> ModelStatus | None:
    try:
        info = (await engine.model.get()).info
    except ForgeError as error:
        missing.append(Missing(error.message, error.remedy))
        return None
    if info.is_canned:
        missing.append(
            Missing(
                "No model is set up, so the demo model gives prepared answers.",
                "Set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for another server of that API.",
            )
        )
    return ModelStatus(info.provider, info.code_model, info.select_model, info.is_canned)


async def _sandbox(engine: Engine, project: str, missing: list[Missing]) -> SandboxStatus:
    provider = await engine.sandboxes.provider.get()
    report: IsolationReport = await provider.isolation()
    if report.tier == "none":
        missing.append(Missing(report.detail, report.remedy))
    mine = engine.sandboxes.of_project(project)
    picture = await last_screenshot(engine, project) if mine else None
    return SandboxStatus(
        provider=provider.name,
        isolation=report.tier,
        detail=report.detail,
        sandbox_id=mine.id if mine else None,
        url=mine.url if mine else None,
        is_alive=await mine.is_alive() if mine else False,
        screenshot=str(picture) if picture else None,
    )


def sentences(found: Status) -> Sequence[str]:
    """The status for people, a line each."""
    lines = [f"forge-lsp {found.version}"]
    if found.model:
        canned = " (canned: its answers are prepared)" if found.model.is_canned else ""
        lines.append(f"Model: {found.model.provider} {found.model.code_model}{canned}")
    place = found.sandbox.url if found.sandbox.is_alive else "none for this folder yet"
    lines.append(f"Sandbox: {found.sandbox.provider}, {found.sandbox.isolation} isolation; {place}")
    if found.sandbox.screenshot:
        lines.append(f"Screenshot: {found.sandbox.screenshot}")
    lines += [f"Missing: {each.what} {each.remedy}".strip() for each in found.missing]
    return lines
