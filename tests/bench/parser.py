"""The parser on a long reply in tiny deltas."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from forge_lsp.generation.parser import ReplyParser

from .harness import Measurement, Pair, Row, at_most

LONG, SHORT = 10_000_000, 1_000_000
DELTA = 4
_LINES = "  const [count, setCount] = useState(0); // one of many lines\n" * 300
_LINEAR, _BESIDE = "10 MB : 1 MB", "10 MB : a plain read"


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    del scratch
    long, short = _deltas(LONG), _deltas(SHORT)

    async def ours() -> Measurement:
        taken = _parse(long)
        return {_LINEAR: taken, _BESIDE: taken}

    async def floor() -> Measurement:
        return {_LINEAR: _parse(short), _BESIDE: _read(long)}

    yield Pair(ours, floor)


def _deltas(size: int) -> Sequence[str]:
    count = size // len(_LINES) + 1
    files = (f'<file path="src/part{n}.tsx">\n{_LINES}</file>\n' for n in range(count))
    reply = "".join(files)[:size]
    return [reply[start : start + DELTA] for start in range(0, size, DELTA)]


def _parse(deltas: Sequence[str]) -> float:
    began = time.perf_counter()
    parser = ReplyParser()
    for delta in deltas:
        parser.feed(delta)
    parser.finish()
    return (time.perf_counter() - began) * 1000


def _read(deltas: Sequence[str]) -> float:
    began = time.perf_counter()
    pieces: list[str] = []
    for delta in deltas:
        pieces.append(delta)  # noqa: PERF402  A loop like the parser's is the floor.
    "".join(pieces)
    return (time.perf_counter() - began) * 1000


ROW = Row(
    "parser",
    "1 MB; and a plain read",
    "ms",
    {_LINEAR: at_most(LONG / SHORT * 1.2), _BESIDE: None},
    _open,
)
