"""Pieces of Python, each run in the sandbox that is made for them, with what they gave kept."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from forge_lsp import events
from forge_lsp.actions.engine import Engine
from forge_lsp.errors import StoreFailed
from forge_lsp.ports.sandbox import PythonOutput
from forge_lsp.runs import Run

MOST_KEPT = 50
MAX_PART_CHARACTERS = 200_000
"""Of what it printed, and of each other part of the output; the last ones are kept."""
MOST_RESULTS = 100
MOST_CHARTS = 20
MAX_CHART_BYTES = 8 * 1024 * 1024
MOST_ERROR_CHARACTERS = 500
"""Of what it raised, in a message."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TEXT = "output.txt"
_NOT_KEPT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|[\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but for tabs and line ends, and those that turn text around."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the output of a run is."""

    text: Path
    charts: Sequence[Path]


async def run_python(engine: Engine, project: str, name: str, code: str) -> Run:
    """Start to run a piece of Python for a project; `name` says for people what it is.

    What it raises is a problem that the run tells of, and no failure of the run.
    """

    async def work(run: Run) -> None:
        def on_stage(message: str) -> None:
            run.tell(events.Stage(message))

        provider = await engine.sandboxes.provider.get()
        on_stage(f"Running {name}...")
        output = await provider.run_python(project, code, on_stage)
        try:
            await asyncio.to_thread(_keep, _folder(engine, run.id), output)
        except OSError as error:
            raise StoreFailed(f"The output can't be kept: {error.strerror}.") from error
        if output.error:
            error = " ".join(_clean(output.error).split())[:MOST_ERROR_CHARACTERS]
            await run.append(events.Problem("python_raised", f"{name} raised {error}"))

    return await engine.runs.start(work, kind="python", title=name, project=project)


async def kept_output(engine: Engine, run_id: str) -> Kept | None:
    """The output of a run that has ended; None where it gave none, or none any more."""
    return await asyncio.to_thread(_found, _folder(engine, run_id))


def as_text(output: PythonOutput) -> str:
    """The output as one text, bounded and without control characters."""
    charts = _charts(output)
    left_out = list(output.left_out)
    if len(charts) < len(output.charts):
        left_out.append("A picture is left out: it is no PNG, too large, or one too many.")
    parts = {
        "": _clean(output.stdout),
        "stderr": _clean(output.stderr),
        "results": _clean("\n".join(output.results[:MOST_RESULTS])),
        "error": _clean(output.traceback or output.error),
        "charts": "\n".join(_chart_name(number) for number, _ in enumerate(charts, start=1)),
        "left out": _clean("\n".join(left_out)),
    }
    return "\n".join(_headed(parts)) or "It gave no output.\n"


def _headed(parts: dict[str, str]) -> Iterator[str]:
    for title, text in parts.items():
        if text:
            heading = f"── {title} ──\n" if title else ""
            yield f"{heading}{text.rstrip()}\n"


def _clean(text: str) -> str:
    """The end of it, without what isn't text; lone surrogates, which no file holds, are marked."""
    last = text[-MAX_PART_CHARACTERS:].encode(errors="replace").decode()
    return _NOT_KEPT.sub("", last.replace("\r\n", "\n"))


def _charts(output: PythonOutput) -> Sequence[bytes]:
    good = [
        chart for chart in output.charts if chart.startswith(_PNG) and len(chart) <= MAX_CHART_BYTES
    ]
    return good[:MOST_CHARTS]


def _chart_name(number: int) -> str:
    return f"chart-{number}.png"


def _folder(engine: Engine, run_id: str) -> Path:
    return engine.places.state / "outputs" / run_id


def _keep(folder: Path, output: PythonOutput) -> None:
    """Whole or not at all, for its owner only; the oldest go when there are too many."""
    files = {_TEXT: as_text(output).encode()}
    files |= {_chart_name(n): chart for n, chart in enumerate(_charts(output), start=1)}
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder.with_name(f".{folder.name}")
    draft.mkdir(mode=0o700)
    try:
        for name, content in files.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(draft / name, flags, 0o600), "wb") as file:
                file.write(content)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    kept = sorted(folder.parent.iterdir(), key=_age)
    for old in kept[:-MOST_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _found(folder: Path) -> Kept | None:
    text = folder / _TEXT
    if not text.is_file():
        return None
    charts = (folder / _chart_name(number) for number in range(1, MOST_CHARTS + 1))
    return Kept(text, [each for each in charts if each.is_file()])


def _age(place: Path) -> float:
    # Another server may take it away meanwhile.
    with suppress(FileNotFoundError):
        return place.stat().st_mtime
    return 0.0
