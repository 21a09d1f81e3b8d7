"""Apps as their own tools make them, in a sandbox, unchanged."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from project_files import Folder

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.local import LocalProvider

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(900)]

VITE = ("create-vite@9.3.0", "app", "--template", "react-ts", "--no-interactive")
NEXT = ("create-next-app@16.4.3", "app", "--yes", "--skip-install", "--disable-git")
PATIENCE_S = 120.0


async def created(folder: Path, *command: str) -> Path:
    """What the tool makes in `folder`."""
    process = await asyncio.create_subprocess_exec(
        *("npx", "--yes", *command),
        cwd=folder,
        env={**os.environ, "npm_config_cache": str(folder / "npm"), "NEXT_TELEMETRY_DISABLED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return folder / "app"


async def get(sandbox: Sandbox, path: str = "/") -> tuple[int, str]:
    """Through the relay, by its own name."""
    parts = urlsplit(sandbox.url)
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"http://127.0.0.1:{parts.port}{path}",
            headers={"Host": parts.netloc, "Accept": "text/html"},
        ) as answer,
    ):
        return answer.status, await answer.text()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.1)


async def test_a_vite_app_runs_as_create_vite_made_it(
    provider: LocalProvider, tmp_path: Path
) -> None:
    app = await created(tmp_path, *VITE)
    sandbox = await provider.create(print, Folder(app))
    made = {ProjectPath.parse("package-lock.json")}
    assert set(await sandbox.files()) == {*await Folder(app).files()} | made
    status, page = await get(sandbox)
    assert (status, '<div id="root">' in page) == (200, True)
    report = await sandbox.diagnostics()
    assert report.diagnostics == (), report
    assert all(check.ok for check in report.checks), report.checks

    module = ProjectPath.parse("src/App.tsx")
    before = await sandbox.read(module)
    wrong = b'export const count: number = "none";\n' + before
    await sandbox.write(module, wrong)
    report = await sandbox.diagnostics(changed=[module])
    assert [(each.file, each.line, each.code) for each in report.diagnostics] == [
        ("src/App.tsx", 1, "TS2322")
    ]
    await sandbox.write(module, before)
    assert (await sandbox.diagnostics(changed=[module])).diagnostics == ()


async def test_a_next_app_runs_as_create_next_app_made_it(
    provider: LocalProvider, tmp_path: Path
) -> None:
    app = await created(tmp_path, *NEXT)
    sandbox = await provider.create(print, Folder(app))
    listed = await sandbox.files()
    assert set(await Folder(app).files()) <= set(listed)
    assert not any(path.startswith(".next/") for path in listed)
    status, page = await get(sandbox)
    assert (status, "page.tsx" in page) == (200, True)
    assert (await sandbox.diagnostics()).diagnostics == ()

    module = ProjectPath.parse("app/page.tsx")
    await sandbox.write(module, b"export default () => <h1>written just now</h1>;\n")

    async def shows() -> bool:
        return "written just now" in (await get(sandbox))[1]

    await until(shows)
    await sandbox.write(module, b"\n\nexport default () => <h1>;\n")
    report = await sandbox.diagnostics(changed=[module])
    # Next.js's own parser marks where the element should have ended, the type checker the element.
    places = {(each.file, each.line) for each in report.diagnostics}
    assert places & {("app/page.tsx", 3), ("app/page.tsx", 4)}, report
    missing = b'import clsx from "clsx";\n\nexport default () => <h1>{clsx("x")}</h1>;\n'
    await sandbox.write(module, missing)
    report = await sandbox.diagnostics(changed=[module])
    found = {(each.file, each.line, each.package) for each in report.diagnostics}
    assert ("app/page.tsx", 1, "clsx") in found, report
    assert [each.name for each in (await sandbox.install(["clsx"])).installed] == ["clsx"]
    assert (await sandbox.diagnostics(changed=[module])).diagnostics == ()
