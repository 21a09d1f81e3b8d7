"""The examples that README and /docs show do what they say, and clients made for others work."""

import asyncio
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from http_node import node_modules, program
from http_serving import TOKEN, Api, serving, settings, types

from forge_lsp.http import docs

EXAMPLES = Path(__file__).parent / "examples"
README = Path(__file__).parents[2] / "README.md"
SHOWN = ("generate.sh", "generate.py", "generate.ts")
COUNTER = "src/Counter.tsx"
TIMEOUT_S = 60
GENERATE = ("/api/generate/stream", {"prompt": "Create a React counter component — ünï 🚀"})
APPLY = ("/api/apply/stream", {"files": [{"path": "src/A.tsx", "content": "1\n"}]})


@pytest.fixture
async def quick(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, settings()) as api:
        await api.post("/api/sandbox/create")
        yield api


async def run(api: Api, *command: str, **more: str) -> str:
    """What the program prints on its way to a good end."""
    environment = {
        **os.environ,
        "FORGE_URL": api.url,
        "FORGE_TOKEN": TOKEN,
        "NO_PROXY": "*",
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode() + said.decode()
    return said.decode()


async def test_the_example_in_curl(quick: Api) -> None:
    program("curl")
    said = await run(quick, "sh", str(EXAMPLES / "generate.sh"))
    found = [json.loads(block.removeprefix("data: ")) for block in said.split("\n\n") if block]
    assert found[-1]["type"] == "complete"
    assert COUNTER in [file["path"] for file in found[-1]["data"]["files"]]


async def test_the_example_in_python(quick: Api) -> None:
    said = await run(quick, sys.executable, "-W", "error", str(EXAMPLES / "generate.py"))
    assert f"wrote {COUNTER}\n" in said


@pytest.mark.slow
async def test_the_example_in_typescript_is_sound_and_works(quick: Api, tmp_path: Path) -> None:
    modules = node_modules()
    tsc = [program("node"), str(modules / "typescript/bin/tsc"), str(EXAMPLES / "generate.ts")]
    options = [
        *("--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2023,dom"),
        *("--types", "node", "--typeRoots", str(modules / "@types"), "--skipLibCheck"),
        *("--moduleDetection", "force", "--outDir", str(tmp_path / "made")),
    ]
    (tmp_path / "made").mkdir()
    (tmp_path / "made/package.json").write_text('{"type": "module"}')
    source = tmp_path / "source"
    source.mkdir()
    (source / "package.json").write_text('{"type": "module"}')
    (source / "generate.ts").write_text((EXAMPLES / "generate.ts").read_text())
    await run(quick, *tsc[:2], str(source / "generate.ts"), *options)
    said = await run(quick, program("node"), str(tmp_path / "made/generate.js"))
    assert f"wrote {COUNTER}\n" in said


@pytest.mark.parametrize("way", ["blankLines", "eventSource", "getReader"])
@pytest.mark.parametrize(("path", "body"), [GENERATE, APPLY])
async def test_clients_that_were_made_for_others_find_every_event(
    quick: Api, way: str, path: str, body: object
) -> None:
    script = str(EXAMPLES / "reference_clients.mjs")
    said = await run(
        quick, program("node"), script, way, FORGE_PATH=path, FORGE_BODY=json.dumps(body)
    )
    found = json.loads(said)
    ours = await quick.stream(path, body)
    assert found[-1]["type"] == "complete"
    assert {*types(found)} - {"heartbeat"} == {*types(ours)} - {"heartbeat"}
    assert found[-1] == ours[-1]


@pytest.mark.parametrize("name", SHOWN)
def test_the_examples_are_shown_as_they_are(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    page, _ = docs._page()
    shown = re.search(rf'<pre[^>]* data-example="{re.escape(name)}">(.*?)</pre>', page, re.DOTALL)
    assert shown is not None
    assert html.unescape(shown[1]) == text
    if name != "generate.ts":
        assert text in README.read_text()
