"""What the port of sandboxes promises, for any provider.

A module that imports all of this has fixtures `provider`, `sandbox` and `look`; `look` asks for a
page of a preview and gives its status and text.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from forge_lsp.errors import (
    BrowserMissing,
    NotFound,
    PackageRefused,
    PathRefused,
    SandboxFailed,
    SandboxGone,
)
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox, SandboxProvider
from forge_lsp.sandbox.template import template_files

Look = Callable[[Sandbox, str], Awaitable[tuple[int, str]]]

APP = ProjectPath.parse("src/App.tsx")
INDEX = ProjectPath.parse("index.html")
PATIENCE_S = 60.0
LOOK_TIMEOUT_S = 30.0
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


async def shows(look: Look, sandbox: Sandbox, text: str, path: str = "/src/App.tsx") -> None:
    """Wait until the preview's page holds the text."""
    answers: list[str] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not answers or text not in answers[-1]:
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    status, page = await look(sandbox, path)
                answers.append(f"{status} {page}")
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"{text!r} isn't shown; {len(answers)} answers, the last: {answers[-1:]}")


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
    await shows(look, sandbox, "written just now")


async def test_each_of_many_puts_in_a_row_shows_in_the_preview(
    sandbox: Sandbox, look: Look
) -> None:
    await look(sandbox, "/src/App.tsx")
    for count in range(3):
        page = f"export default () => <h1>put {count} times before</h1>;\n"
        assert not await sandbox.put({APP: page.encode()})
        await shows(look, sandbox, f"put {count} times before")


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


async def test_many_files_are_put_and_taken_away_at_once(sandbox: Sandbox) -> None:
    contents: dict[ProjectPath, bytes | None] = {
        ProjectPath.parse(name): name.encode() for name in ODD_NAMES
    }
    contents[APP] = b"new"
    contents[INDEX] = None
    contents[ProjectPath.parse("src/not-there.ts")] = None
    assert await sandbox.put(contents) == {}
    for path, content in contents.items():
        if content is not None:
            assert await sandbox.read(path) == content
    left = {path for path, content in contents.items() if content is not None}
    assert set(await sandbox.files()) == (left | set(template_files())) - {INDEX}
    assert await sandbox.put(dict.fromkeys(left, None)) == {}
    assert not left & set(await sandbox.files())
    assert await sandbox.put({}) == {}


async def test_what_cannot_be_put_is_named_and_the_rest_is_there(sandbox: Sandbox) -> None:
    below, folder = ProjectPath.parse("src/App.tsx/x.ts"), ProjectPath.parse("src")
    good = ProjectPath.parse("zz.ts")
    refused = await sandbox.put({below: b"", folder: b"", good: b"good"})
    assert set(refused) == {below, folder}
    assert all(reason for reason in refused.values())
    assert await sandbox.read(good) == b"good"
    assert set(await sandbox.put({folder: None})) == {folder}
    assert await sandbox.read(APP) == template_files()["src/App.tsx"]


async def test_thousands_of_files_are_put_in_the_time_of_a_few(sandbox: Sandbox) -> None:
    contents = {
        ProjectPath.parse(f"many/{number % 50}/{number}.txt"): b"%d" % number
        for number in range(5_000)
    }
    async with asyncio.timeout(PATIENCE_S):
        assert await sandbox.put(contents) == {}
    assert set(contents) < set(await sandbox.files())
    last = ProjectPath.parse("many/49/4999.txt")
    assert await sandbox.read(last) == b"4999"


async def test_a_program_runs_in_the_folder_and_tells_its_output_and_code(
    sandbox: Sandbox,
) -> None:
    heard: list[str] = []
    script = (
        "const fs = require('fs');"
        "console.log(fs.readFileSync('src/App.tsx', 'utf8').length);"
        "console.error('\u001b[31mred\u001b[0m $HOME `id`');"
        "process.exit(7)"
    )
    assert await sandbox.run(["node", "-e", script], heard.append, 60) == 7
    told = "".join(heard)
    assert str(len(template_files()["src/App.tsx"].decode())) in told
    assert "red $HOME `id`" in told
    assert "\x1b" not in told
    assert await sandbox.run(["node", "-e", "process.kill(process.pid, 9)"], print, 60) == 137


async def test_what_a_program_prints_is_heard_while_it_runs(sandbox: Sandbox) -> None:
    heard: list[str] = []
    script = "console.log('begun'); setInterval(() => {}, 1000)"
    running = asyncio.create_task(sandbox.run(["node", "-e", script], heard.append, 60))

    async def has_begun() -> bool:
        return "begun" in "".join(heard)

    await until(has_begun)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await sandbox.is_alive()


async def test_a_program_that_takes_too_long_ends_with_all_that_it_started(
    sandbox: Sandbox,
) -> None:
    beat = ProjectPath.parse("beat.txt")
    child = "setInterval(() => require('fs').appendFileSync('beat.txt', '.'), 50)"
    script = (
        f"require('child_process').spawn('node', ['-e', {child!r}],"
        " {detached: true, stdio: 'ignore'}); setInterval(() => {}, 1000)"
    )
    with pytest.raises(SandboxFailed, match="did not end within 2 s"):
        await sandbox.run(["node", "-e", script], print, 2)
    assert await sandbox.run(["node", "-e", "console.log(process.version)"], print, 60) == 0

    async def is_silent() -> bool:
        before = await sandbox.read(beat)
        await asyncio.sleep(0.3)
        return await sandbox.read(beat) == before

    await until(is_silent)


async def test_the_dev_servers_log_is_numbered_and_grows(sandbox: Sandbox, look: Look) -> None:
    sandbox.logs()
    async with asyncio.timeout(PATIENCE_S):
        await sandbox.log_grew(0)
    first = sandbox.logs()
    assert first[0].seq == 1
    assert [each.seq for each in first] == list(range(1, len(first) + 1))
    assert all(each.source in ("server", "page") and each.at_ms > 0 for each in first)
    assert not any("\n" in each.text or "\x1b" in each.text for each in first)
    await sandbox.write(ProjectPath.parse("src/wrong.ts"), b"export default {;\n")
    await look(sandbox, "/src/wrong.ts")

    async def tells() -> bool:
        await sandbox.log_grew(first[-1].seq)
        return any("wrong.ts" in each.text for each in sandbox.logs(first[-1].seq))

    await until(tells)
    assert len(sandbox.logs(limit=1)) == 1
    await sandbox.kill()
    assert [each.seq for each in sandbox.logs(limit=len(first))] == [each.seq for each in first]
    with pytest.raises(SandboxGone):
        await sandbox.log_grew(1_000_000)


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
        sandbox.put({APP: b""}),
        sandbox.install(["react"]),
        sandbox.run(["node", "--version"], print, 10),
        sandbox.diagnostics(),
        sandbox.stirred(),
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


class Folder:
    """The files of a workspace."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = {ProjectPath.parse(path): content for path, content in contents.items()}

    async def files(self) -> list[ProjectPath]:
        return sorted(self.contents)

    async def read(self, path: ProjectPath) -> bytes | None:
        return self.contents.get(path)


async def test_a_workspace_is_laid_over_the_template(provider: SandboxProvider, look: Look) -> None:
    folder = Folder(
        {
            "src/App.tsx": b"export default () => <h1>from the workspace</h1>;\n",
            "public/logo.bin": bytes(range(256)),
        }
    )
    stages: list[str] = []
    sandbox = await provider.create(stages.append, folder)
    assert await sandbox.read(APP) == folder.contents[APP]
    assert set(await sandbox.files()) == set(template_files()) | set(folder.contents)
    await shows(look, sandbox, "from the workspace")
    assert stages


async def test_a_file_that_is_too_large_is_said_and_left_out(provider: SandboxProvider) -> None:
    folder = Folder({"huge.bin": bytes(9 << 20), "small.txt": b"small"})
    stages: list[str] = []
    sandbox = await provider.create(stages.append, folder)
    assert "small.txt" in await sandbox.files()
    assert "huge.bin" not in await sandbox.files()
    assert any("huge.bin" in each for each in stages)


async def test_a_picture_is_one_or_there_is_no_browser(sandbox: Sandbox) -> None:
    try:
        picture = await sandbox.screenshot()
    except BrowserMissing as missing:
        picture, remedy = b"", missing.remedy
    else:
        remedy = ""
    assert picture.startswith(b"\x89PNG") or remedy


async def test_two_sandboxes_do_not_disturb_each_other(
    provider: SandboxProvider, look: Look
) -> None:
    one, other = await asyncio.gather(provider.create(print), provider.create(print))
    assert one.url != other.url
    await one.write(APP, b"export default () => 1;\n")
    assert await other.read(APP) == template_files()["src/App.tsx"]
    await one.kill()
    assert (await look(other, "/"))[0] == 200
