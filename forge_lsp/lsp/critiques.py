"""A critique as the editor shows it: a document, and its insights on their lines."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from forge_lsp import events
from forge_lsp.changes.texts import as_text
from forge_lsp.errors import ForgeError, StoreFailed
from forge_lsp.lsp.insights import PlacedInsight
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.session import Session
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath, is_allowed

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.actions.skills import Skill
    from forge_lsp.ports.workspace import Files
    from forge_lsp.runs import Run

MOST_CHARACTERS = 1_000_000
"""Of a critique's text."""
MOST_LINES_SHOWN = 10
MOST_CHARACTERS_SHOWN = 1_000
"""In a message, where the editor can't open the document."""
CUSTOM = "*This skill is custom: it is none of those that come with forge-lsp.*"


@dataclass(frozen=True, slots=True)
class Critique:
    """A run of a skill, and what it looks at."""

    engine: "Engine"
    run: "Run"
    skill: "Skill"
    workspace: EditorWorkspace
    source: "Files"
    """The files as the run has seen them."""


async def show_critique(session: Session, critique: Critique) -> None:
    """Mark what it finds as it comes, and open its text when it is there."""
    try:
        await session.insights.forget(critique.workspace, critique.skill.alias)
        text = await _follow(session, critique)
        if text:
            place = _place(critique)
            await asyncio.to_thread(_write, place, text, critique.run.id)
            await _open(session, place, text)
    except ForgeError as error:
        session.client.show_failure(error)


async def _follow(session: Session, critique: Critique) -> str:
    """The document; empty for a run that came to nothing."""
    prose: list[str] = []
    found: list[events.Insight] = []
    async for recorded in critique.engine.runs.subscribe(critique.run.id):
        match recorded.event:
            case events.TextDelta(text):
                prose.append(text)
            case events.Insight():
                found.append(recorded.event)
                await _mark(session, critique, recorded.event)
            case _:
                pass
    whole = plain("".join(prose), MOST_CHARACTERS).strip()
    return _document(critique, whole, found) if whole or found else ""


async def _mark(session: Session, critique: Critique, insight: events.Insight) -> None:
    if insight.path is None or insight.line is None or not is_allowed(insight.path):
        return
    path = ProjectPath.parse(insight.path)
    text = as_text(await critique.source.read(path) or b"") or ""
    await session.insights.add(
        PlacedInsight(critique.skill.alias, critique.workspace, path, insight.line, insight, text)
    )


def _document(critique: Critique, prose: str, found: Sequence[events.Insight]) -> str:
    skill = critique.skill
    parts = [f"# {skill.title}", *([CUSTOM] if skill.is_custom else []), prose]
    if found:
        findings = "\n".join(_finding(critique.workspace, each) for each in found)
        parts.append(f"## Findings\n\n{findings}")
    return "\n\n".join(filter(None, parts)) + "\n"


def _finding(workspace: EditorWorkspace, insight: events.Insight) -> str:
    about = [insight.kind]
    if insight.path is not None and is_allowed(insight.path):
        uri = workspace.uri_of(ProjectPath.parse(insight.path))
        name, place = insight.path, uri
        if insight.line is not None:
            name, place = f"{name}:{insight.line}", f"{uri}#L{insight.line}"
        about.append(f"[{name}]({place})")
    label, detail = (plain(each, MOST_CHARACTERS) for each in (insight.label, insight.detail))
    told = "" if detail == label else f": {' '.join(detail.split())}"
    return f"- **{label}** ({', '.join(about)}){told}"


def _place(critique: Critique) -> Path:
    """One for each skill and project: the newest."""
    project = hashlib.sha256(critique.workspace.project.encode()).hexdigest()[:16]
    return critique.engine.places.cache / "skills" / project / f"{critique.skill.alias}.md"


def _write(place: Path, text: str, run_id: str) -> None:
    """Whole or not at all: an editor may have it open."""
    aside = place.with_suffix(f".{run_id}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside.write_text(text, encoding="utf-8", newline="")
        aside.replace(place)
    except OSError as error:
        raise StoreFailed(f"{place} can't be written: {error.strerror}.") from error


async def _open(session: Session, place: Path, text: str) -> None:
    client = session.client
    if client.has_show_document and await client.show_document(place.as_uri(), is_late=True):
        return
    first = plain("\n".join(text.splitlines()[:MOST_LINES_SHOWN]), MOST_CHARACTERS_SHOWN)
    client.show(f"{first}\n\nAll of it is in {place}.")
