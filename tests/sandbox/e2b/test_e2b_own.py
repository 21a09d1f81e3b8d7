"""Projects that start by their own script in a cloud sandbox, with the real package managers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from e2b_double import E2bDouble
from e2b_machine import free_port
from e2b_registry import passed_on_registry
from project_files import PAGE, Contents, plain
from sandbox_contract import until
from test_sandbox_own import LOCKS

from forge_lsp.errors import SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.settings import Places, SandboxSettings, Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MANIFEST = ProjectPath.parse("package.json")
SERVER = ProjectPath.parse("server.js")
Look = Callable[[Sandbox, str], Awaitable[tuple[int, str]]]


@pytest.fixture
async def registry() -> AsyncIterator[str]:
    async with passed_on_registry() as url:
        yield url


@pytest.fixture
def e2b_settings(e2b_settings: SandboxSettings, registry: str) -> SandboxSettings:
    return msgspec.structs.replace(e2b_settings, registry_url=registry)


def project(*more: dict[str, bytes], **manifest: object) -> dict[str, bytes]:
    """The plain server on a port of its own: machines of the double share one network."""
    files = plain(**manifest)
    files["server.js"] = files["server.js"].replace(b"4321", str(free_port()).encode())
    for each in more:
        files |= each
    return files


def without_packages(server: str) -> dict[str, bytes]:
    """A project that installs nothing."""
    return project({"server.js": server.encode()}, dependencies={})


@pytest.mark.parametrize("manager", LOCKS)
async def test_the_lock_files_package_manager_installs_and_starts_it(
    provider: E2bProvider, look: Look, manager: str
) -> None:
    contents = project(LOCKS[manager])
    stages: list[str] = []
    sandbox = await provider.create(stages.append, Contents(contents))
    assert any(f"packages with {manager}" in stage for stage in stages), stages
    assert not any("could not be followed" in stage for stage in stages), stages
    assert not sandbox.url.startswith("http://5173-")
    assert PAGE in (await look(sandbox, "/"))[1]
    assert set(await sandbox.files()) == set(contents)
    for path, content in contents.items():
        assert await sandbox.read(ProjectPath.parse(path)) == content

    report = await sandbox.install(["clsx@2.1.1"])
    assert [each.name for each in report.installed] == ["clsx"], report
    listed = json.loads(await sandbox.read(MANIFEST))
    assert listed["dependencies"]["clsx"].lstrip("^") == "2.1.1"


async def test_the_later_yarn_is_fetched_by_its_exact_version(
    provider: E2bProvider, look: Look
) -> None:
    contents = project(packageManager="yarn@4.9.1")
    sandbox = await provider.create(print, Contents(contents))
    assert PAGE in (await look(sandbox, "/"))[1]


async def test_a_lock_file_that_does_not_fit_is_said_and_done_without(
    provider: E2bProvider, look: Look
) -> None:
    lock = LOCKS["npm"]["package-lock.json"].replace(b"2.1.3", b"2.1.2")
    stages: list[str] = []
    contents = project({"package-lock.json": lock})
    sandbox = await provider.create(stages.append, Contents(contents))
    assert any("package-lock.json could not be followed" in stage for stage in stages), stages
    assert PAGE in (await look(sandbox, "/"))[1]


async def test_packages_that_cannot_be_installed_are_told_and_nothing_is_left(
    provider: E2bProvider, double: E2bDouble
) -> None:
    contents = project(dependencies={"ms": "999.0.0"})
    with pytest.raises(SandboxFailed, match=r"could not be installed.*ms"):
        await provider.create(print, Contents(contents))

    async def none() -> bool:
        return not double.sandboxes

    await until(none)


async def test_a_server_that_does_not_start_is_quoted(provider: E2bProvider) -> None:
    contents = without_packages("console.log('there is no such thing'); process.exit(3);\n")
    with pytest.raises(SandboxFailed, match="ended before its page") as caught:
        await provider.create(print, Contents(contents))
    assert "there is no such thing" in caught.value.message


async def test_it_is_looked_at_logged_and_started_again(
    provider: E2bProvider, look: Look, double: E2bDouble
) -> None:
    port = free_port()
    server = (
        "console.log('it is up');"
        "require('http').createServer(({ url }, answer) => {"
        "  if (url === '/die') process.exit(7);"
        "  answer.writeHead(url === '/' ? 404 : 200).end('mine');"
        f"}}).listen({port}, '127.0.0.1');\n"
    )
    sandbox = await provider.create(print, Contents(without_packages(server)))
    assert sandbox.url == f"http://{port}-{sandbox.id}.e2b.test/"
    report = await sandbox.diagnostics()
    assert [(each.label, each.ok) for each in report.checks] == [
        ("dev server", True),
        ("page", True),
    ]
    assert await look(sandbox, "/x") == (200, "mine")
    sandbox.logs()

    async def told(text: str, times: int) -> bool:
        return [each.text for each in sandbox.logs()].count(text) == times

    await until(lambda: told("it is up", 1))
    assert (await look(sandbox, "/die"))[0] == 502
    await asyncio.wait_for(sandbox.stirred(), 20)
    await until(lambda: told("it is up", 2))
    assert await told("The dev server ended by itself with code 7.", 1)

    async def answers() -> bool:
        return await look(sandbox, "/x") == (200, "mine")

    await until(answers)
    assert "vite" not in str([each.config for each in double.one().machine.programs.values()])


async def test_of_the_template_nothing_is_left_but_its_machine(
    provider: E2bProvider, double: E2bDouble, look: Look
) -> None:
    server = f"require('http').createServer((_, a) => a.end('me')).listen({free_port()});\n"
    contents = without_packages(server)
    sandbox = await provider.create(print, Contents(contents))
    assert set(await sandbox.files()) - {"package-lock.json"} == set(contents)
    assert not (double.one().machine.home / "app/node_modules/vite").exists()
    assert (await look(sandbox, "/"))[1] == "me"


async def test_after_a_restart_it_goes_on_with_its_own_manager_and_port(
    provider: E2bProvider, e2b_settings: SandboxSettings, places: Places, look: Look
) -> None:
    made = await provider.create(print, Contents(project(LOCKS["pnpm"])))
    again = E2bProvider(Settings(sandbox=e2b_settings), places)
    try:
        taken = await again.take_up(made.id, print)
        assert taken.url == made.url
        assert PAGE in (await look(taken, "/"))[1]
        report = await taken.install(["clsx@2.1.1"])
        assert [each.name for each in report.installed] == ["clsx"], report
        assert b"clsx@2.1.1" in await taken.read(ProjectPath.parse("pnpm-lock.yaml"))
    finally:
        await again.close()


@pytest.mark.parametrize(
    "kept", ["{", '{"manager": "; id"}', '{"manager": ["npm"]}', "\u0000", "[" * 900]
)
async def test_a_sandbox_that_lies_about_itself_is_not_taken_up(
    provider: E2bProvider,
    e2b_settings: SandboxSettings,
    places: Places,
    double: E2bDouble,
    kept: str,
) -> None:
    made = await provider.create(print)
    (double.one().machine.home / ".forge-lsp/own.json").write_text(kept)
    again = E2bProvider(Settings(sandbox=e2b_settings), places)
    try:
        with pytest.raises(SandboxFailed, match="how it was made"):
            await again.take_up(made.id, print)
    finally:
        await again.close()
