"""Measures rows side by side and prints them. The ratio counts, not the seconds."""

import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

Measurement = Mapping[str, float]
"""One value for each line of a row, by the line's label."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared; each call measures once."""

    ours: Callable[[], Awaitable[Measurement]]
    floor: Callable[[], Awaitable[Measurement]]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a line should reach."""

    text: str
    is_met: Callable[[float, float], bool]
    """Of the medians: ours, then the floor's."""


@dataclass(frozen=True, slots=True)
class Row:
    """Something that is compared with its floor or peer."""

    name: str
    floor: str
    """What it is compared with, for people."""
    unit: str
    bars: Mapping[str, Bar | None]
    """By the label of each line that is measured; None for a line that is only told."""
    open: Callable[[Path], AbstractAsyncContextManager[Pair]]
    """Prepares both sides in an empty folder, and leaves nothing running."""
    floor_rounds: int | None = None
    """How often the floor is measured, where it is too slow for every round."""


@dataclass(slots=True)
class Line:
    """What was measured."""

    row: Row
    label: str
    ours: list[float] = field(default_factory=list[float])
    floor: list[float] = field(default_factory=list[float])
    error: str = ""
    """Why it could not be measured; empty where it could."""

    @property
    def ratio(self) -> float:
        """Ours to the floor's, by their medians."""
        return statistics.median(self.ours) / statistics.median(self.floor)

    @property
    def is_met(self) -> bool | None:
        """None where there is no bar, or no measurement."""
        bar = self.row.bars[self.label]
        if bar is None or self.error:
            return None
        return bar.is_met(statistics.median(self.ours), statistics.median(self.floor))


def at_most(ratio: float) -> Bar:
    """Ours may be so many times the floor's."""
    return Bar(f"≤ {ratio:g} x", lambda ours, floor: ours <= ratio * floor)


def at_least(ratio: float) -> Bar:
    """Ours must be so many times the floor's."""
    return Bar(f"≥ {ratio:g} x", lambda ours, floor: ours >= ratio * floor)


async def measure(rows: Sequence[Row], rounds: int) -> Sequence[Line]:
    """Measure each row, ours and the floor in turn."""
    lines: list[Line] = []
    for row in rows:
        sys.stderr.write(f"{row.name}: beside {row.floor} ...\n")
        found = {label: Line(row, label) for label in row.bars}
        try:
            with tempfile.TemporaryDirectory(prefix="forge-lsp-bench-") as scratch:
                await _measure_row(row, rounds, Path(scratch), found)
        except Exception as error:  # noqa: BLE001  The other rows are measured all the same.
            for line in found.values():
                line.error = f"{type(error).__name__}: {error}"
        lines += found.values()
    return lines


async def _measure_row(row: Row, rounds: int, scratch: Path, lines: Mapping[str, Line]) -> None:
    async with row.open(scratch) as pair:
        for turn in range(rounds):
            for label, value in (await pair.ours()).items():
                lines[label].ours.append(value)
            if row.floor_rounds is None or turn < row.floor_rounds:
                for label, value in (await pair.floor()).items():
                    lines[label].floor.append(value)


def print_table(lines: Sequence[Line]) -> None:
    """For people."""
    table = Table(title="median (min-max)", title_justify="left")
    for title in ("row", "", "ours", "floor or peer", "beside", "ratio", "bar", "met"):
        table.add_column(title, justify="right" if title in {"ours", "ratio"} else "left")
    for line in lines:
        bar = line.row.bars[line.label]
        told = bar.text if bar else "-"
        if line.error:
            table.add_row(line.row.name, line.label, line.error, "", line.row.floor, "", told, "?")
            continue
        met = {True: "[green]yes", False: "[red]no", None: "-"}[line.is_met]
        ours, floor = (_spread(side, line.row.unit) for side in (line.ours, line.floor))
        ratio = f"{line.ratio:.3g} x"
        table.add_row(line.row.name, line.label, ours, floor, line.row.floor, ratio, told, met)
    # In a log or a pipe there is no width that it could be asked for.
    Console(width=None if sys.stdout.isatty() else 170).print(table)


def print_json(lines: Sequence[Line]) -> None:
    """For programs."""
    document = [
        {
            "row": line.row.name,
            "line": line.label,
            "unit": line.row.unit,
            "beside": line.row.floor,
            "ours": line.ours,
            "floor": line.floor,
            "ratio": None if line.error else line.ratio,
            "bar": bar.text if (bar := line.row.bars[line.label]) else None,
            "met": line.is_met,
            "error": line.error or None,
        }
        for line in lines
    ]
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _spread(values: Sequence[float], unit: str) -> str:
    middle, least, most = (f"{f(values):,.4g}" for f in (statistics.median, min, max))
    if statistics.median(values) >= 1000:
        middle, least, most = (f"{f(values):,.0f}" for f in (statistics.median, min, max))
    return f"{middle} ({least}-{most}) {unit}"
