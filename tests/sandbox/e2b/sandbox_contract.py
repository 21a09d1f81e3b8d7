"""What the port of sandboxes promises, for any provider.

A module that imports all of this has fixtures `provider`, `sandbox` and `look`; `look` asks for a
page of a preview and gives its status and text.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from forge_lsp.errors import NotFound, PackageRefused, PathRefused, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox, SandboxProvider
from forge_lsp.sandbox.template import template_files

Look = Callable[[Sandbox, str], Awaitable[tuple[int, str]]]

APP = ProjectPath.parse("src/App.tsx")
PATIENCE_S = 20.0
ODD_NAMES = [
    "src/with space.ts",
    "src/it's.ts",
    "src/$(touch pwned).ts",
    "src/`id`.ts",
    "src/;rm -rf .ts",
    "src/&&.ts",
    "src/-rf",
    "src/~.ts",
    "src/ünïcödé/日本.ts",
    "src/%2e%2e.ts",
    "src/#hash.ts",
    "src/{a,b}.ts",
    "-n",
]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def test_a_new_sandbox_holds_the_template_and_its_page_answers(
    sandbox: Sandbox, look: Look
) -> None:
    assert re.fullmatch(r"[a-z0-9_-]+", sandbox.id)
    assert sandbox.id in sandbox.url
    assert await sandbox.is_alive()
    status, page = await look(sandbox, "/")
    assert status == 200
    assert '<div id="root">' in page
    assert set(await sandbox.files()) == set(template_files())
    assert await sandbox.read(APP) == template_files()["src/App.tsx"]


async def test_the_providers_template_is_what_a_sandbox_holds(provider: SandboxProvider) -> None:
    assert await provider.template() == template_files()
    report = await provider.isolation()
    assert report.tier in ("full", "reduced")
    assert report.detail


async def test_a_write_shows_in_the_preview(sandbox: Sandbox, look: Look) -> None:
    await look(sandbox, "/src/App.tsx")
    await sandbox.write(APP, b"export default () => <h1>written just now</h1>;\n")

    async def shows() -> bool:
        return "written just now" in (await look(sandbox, "/src/App.tsx"))[1]

    await until(shows)


async def test_files_are_written_read_listed_and_deleted(sandbox: Sandbox) -> None:
    path = ProjectPath.parse("src/deep/er/new.ts")
    await sandbox.write(path, b"export {};\n")
    assert path in await sandbox.files()
    assert await sandbox.read(path) == b"export {};\n"
    await sandbox.write(path, b"")
    assert await sandbox.read(path) == b""
    await sandbox.delete(path)
    await sandbox.delete(path)
    assert path not in await sandbox.files()
    with pytest.raises(NotFound):
        await sandbox.read(path)


async def test_odd_names_are_names_and_nothing_else(sandbox: Sandbox) -> None:
    paths = [ProjectPath.parse(name) for name in ODD_NAMES]
    await asyncio.gather(*(sandbox.write(path, path.encode()) for path in paths))
    listed = await sandbox.files()
    assert set(listed) == set(paths) | set(template_files())
    assert listed == sorted(listed)
    for path in paths:
        assert await sandbox.read(path) == path.encode()
        await sandbox.delete(path)
    assert set(await sandbox.files()) == set(template_files())


async def test_any_bytes_and_many_of_them_come_back_as_they_were(sandbox: Sandbox) -> None:
    content = bytes(range(256)) * (5 * 1024 * 4)
    path = ProjectPath.parse("public/big.bin")
    await sandbox.write(path, content)
    assert await sandbox.read(path) == content


async def test_a_folder_is_no_file(sandbox: Sandbox) -> None:
    folder, below = ProjectPath.parse("src"), ProjectPath.parse("src/App.tsx/below.ts")
    with pytest.raises(NotFound):
        await sandbox.read(folder)
    with pytest.raises(NotFound):
        await sandbox.read(below)
    for path in (folder, below):
        with pytest.raises(PathRefused, match=path):
            await sandbox.write(path, b"")
    with pytest.raises(PathRefused, match="src"):
        await sandbox.delete(folder)
    assert set(await sandbox.files()) == set(template_files())


async def test_a_clean_sandbox_has_nothing_to_diagnose(sandbox: Sandbox) -> None:
    report = await sandbox.diagnostics()
    assert report.diagnostics == ()
    assert [each.label for each in report.checks] == ["dev server", "page", "modules", "types"]
    assert all(each.ok for each in report.checks), report


async def test_every_kind_of_problem_is_found_in_its_place(sandbox: Sandbox) -> None:
    wrong = {
        "src/a.tsx": "export default () => <div>;\n",
        "src/b.ts": '// Nothing.\n\nimport x from "not-there";\nexport default x;\n',
        "src/c.css": '@import "tailwindcss";\n\n.card {\n  @apply not-a-class;\n}\n',
    }
    for path, text in wrong.items():
        await sandbox.write(ProjectPath.parse(path), text.encode())
    found = {
        (each.file, each.line, each.code) for each in (await sandbox.diagnostics()).diagnostics
    }
    assert ("src/b.ts", 3, "unresolved-import") in found
    assert ("src/c.css", 4, "unknown-class") in found
    assert ("src/a.tsx", 1, "parse_error") in found
    await sandbox.delete(ProjectPath.parse("src/a.tsx"))
    await sandbox.write(ProjectPath.parse("src/d.ts"), b'export const n: number = "text";\n')
    report = await sandbox.diagnostics()
    types = [each for each in report.diagnostics if each.source == "typescript"]
    assert ("src/d.ts", 1, 14, "TS2322") in [
        (each.file, each.line, each.column, each.code) for each in types
    ]
    assert not report.checks[-1].ok


async def test_a_killed_sandbox_says_that_it_is_gone(sandbox: Sandbox, look: Look) -> None:
    await sandbox.kill()
    await sandbox.kill()
    assert not await sandbox.is_alive()
    sandbox.renew()
    for refused in (
        sandbox.files(),
        sandbox.read(APP),
        sandbox.write(APP, b""),
        sandbox.delete(APP),
        sandbox.install(["react"]),
        sandbox.diagnostics(),
    ):
        with pytest.raises(SandboxGone, match="on request"):
            await refused


async def test_work_under_way_ends_with_its_sandbox(sandbox: Sandbox) -> None:
    looking = asyncio.create_task(sandbox.diagnostics())
    await sandbox.files()
    await sandbox.kill()
    with pytest.raises(SandboxGone):
        await looking


async def test_a_bad_package_name_is_refused_before_anything_runs(sandbox: Sandbox) -> None:
    for name in ("-g", "../x", "react@npm:evil", "git+ssh://x", "a; id", "$(id)", "a\nb", "a'b"):
        with pytest.raises(PackageRefused):
            await sandbox.install(["clsx", name])
    assert set(await sandbox.files()) == set(template_files())


async def test_what_the_template_has_is_installed_already(sandbox: Sandbox) -> None:
    report = await sandbox.install(["react", "clsx"])
    assert [each.name for each in report.installed] == ["react", "clsx"]
    assert report.failed == ()


async def test_two_sandboxes_do_not_disturb_each_other(
    provider: SandboxProvider, look: Look
) -> None:
    one, other = await asyncio.gather(provider.create(print), provider.create(print))
    assert one.url != other.url
    await one.write(APP, b"export default () => 1;\n")
    assert await other.read(APP) == template_files()["src/App.tsx"]
    await one.kill()
    assert (await look(other, "/"))[0] == 200
