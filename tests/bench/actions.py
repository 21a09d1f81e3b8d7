"""Code actions and lenses while 32 runs stream, beside the same with none."""

import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from .harness import Bar, Measurement, Pair, Row, at_most
from .language_client import LanguageClient, language_server
from .processes import environment
from .start import OURS

RUNS = 32
REQUESTS = 200
PACE_S = "0.05"
TEXT = "".join(
    f"// forge: make button {number} blue\nconst b{number} = 1\n" for number in range(20)
)
_QUICK = Bar("≤ 2 x, < 5 ms", lambda ours, floor: ours <= 2 * floor and ours < 5)


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    project = scratch / "project"
    project.mkdir()
    document = project / "App.tsx"
    document.write_text(TEXT)
    # Without Node there are no sandboxes: what is measured here are the streams.
    variables = environment(
        scratch / "home",
        PATH=str(scratch),
        FORGE_MODEL_PROVIDER="demo",
        FORGE_MODEL_DEMO_PACE_S=PACE_S,
        FORGE_RUNS_MAX_ACTIVE=str(RUNS),
    )
    async with language_server(OURS, variables) as client:
        await client.initialize([{"uri": project.as_uri(), "name": "project"}])
        client.notify("initialized", {})
        uri = document.as_uri()
        opened = {"uri": uri, "languageId": "typescriptreact", "version": 1, "text": TEXT}
        client.notify("textDocument/didOpen", {"textDocument": opened})
        await _times(client, uri)
        yield Pair(ours=partial(_while_streaming, client, uri), floor=partial(_times, client, uri))


async def _while_streaming(client: LanguageClient, uri: str) -> Measurement:
    runs: list[str] = []
    for _ in range(RUNS):
        params = {"command": "forge.generate", "arguments": [{"prompt": "build a counter"}]}
        runs.append((await client.ask("workspace/executeCommand", params))["runId"])
    try:
        return await _times(client, uri)
    finally:
        for run in runs:
            params = {"command": "forge.cancel", "arguments": [{"runId": run}]}
            await client.ask("workspace/executeCommand", params)


async def _times(client: LanguageClient, uri: str) -> Measurement:
    place = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    document = {"textDocument": {"uri": uri}}
    asked = {
        "codeAction": {**document, "range": place, "context": {"diagnostics": []}},
        "codeLens": document,
    }
    taken: dict[str, list[float]] = {method: [] for method in asked}
    for _ in range(REQUESTS):
        for method, params in asked.items():
            began = time.perf_counter()
            await client.ask(f"textDocument/{method}", params)
            taken[method].append((time.perf_counter() - began) * 1000)
    return {
        f"{method} p{percent}": sorted(times)[math.ceil(len(times) * percent / 100) - 1]
        for method, times in taken.items()
        for percent in (50, 99)
    }


ROW = Row(
    "actions",
    "the same without runs",
    "ms",
    {
        "codeAction p50": at_most(2),
        "codeAction p99": _QUICK,
        "codeLens p50": at_most(2),
        "codeLens p99": _QUICK,
    },
    _open,
)
