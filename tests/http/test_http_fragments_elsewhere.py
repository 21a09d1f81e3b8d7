"""Edits of fragments over HTTP at one server, of what another one shows; on each database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from http_projects import CREATED, FILES, PAGE, PROJECT, edit, patch
from http_serving import Api, serving, settings, until
from memory_workspace import MemoryWorkspace
from msgspec.structs import replace

from forge_lsp.actions.fragments import make_fragment
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectRecord

EDITED = "export default 2;\n"


@pytest.fixture(params=["sqlite", "postgresql"])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Api, Api]]:
    """Two on one database."""
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/shared.db"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("cluster").database())
        chosen = replace(settings(), database_url=url)
        one = await stack.enter_async_context(serving(tmp_path / "one", chosen))
        other = await stack.enter_async_context(serving(tmp_path / "other", chosen))
        yield one, other


async def shown(api: Api) -> tuple[FragmentRecord, MemoryWorkspace]:
    """A fragment in a sandbox of that server's, and the workspace that has it open there."""
    contents = {ProjectPath.parse(path): text.encode() for path, text in FILES.items()}
    workspace = MemoryWorkspace({path: text.encode() for path, text in FILES.items()}, (), PROJECT)
    api.engine.workspaces[PROJECT] = workspace
    project = ProjectRecord(PROJECT, "owner", "To-Do", CREATED, CREATED, folder=PROJECT)
    await api.engine.store.save_project(project)
    sandbox = await api.engine.sandboxes.create("owner", PROJECT, lambda _: None)
    fragment = await make_fragment(
        api.engine, project, "msg_222", "To-Do", contents, sandbox=sandbox
    )
    return fragment, workspace


async def test_it_reaches_the_sandbox_and_the_workspace_of_the_other_server(
    servers: tuple[Api, Api],
) -> None:
    fragment, workspace = await shown(servers[0])
    status, answer = await patch(servers[1], edit({PAGE: EDITED}), fragment.id)
    assert (status, answer["sandboxUrl"]) == (200, fragment.sandbox_url)
    await until(lambda: workspace.disk[PAGE] == EDITED.encode())
    (sandbox,) = servers[0].provider.made
    await until(lambda: sandbox.contents.get(PAGE) == EDITED.encode())
    assert servers[1].provider.made == []


async def test_of_edits_at_both_servers_none_is_lost(servers: tuple[Api, Api]) -> None:
    fragment, workspace = await shown(servers[0])
    wanted = {f"src/file{number}.ts": str(number) for number in range(20)}
    answers = await asyncio.gather(
        *(
            patch(servers[number % 2], edit({path: text}), fragment.id)
            for number, (path, text) in enumerate(wanted.items())
        )
    )
    assert {status for status, _ in answers} == {200}
    (sandbox,) = servers[0].provider.made
    for path, text in wanted.items():
        await until(lambda path=path, text=text: workspace.disk.get(path) == text.encode())
        await until(lambda path=path, text=text: sandbox.contents.get(path) == text.encode())
    assert servers[1].provider.made == []


async def test_a_sandbox_that_was_made_anew_is_told_of_at_the_other_server(
    servers: tuple[Api, Api],
) -> None:
    fragment, workspace = await shown(servers[0])
    path = f"/api/fragments/{fragment.id}"
    await servers[0].provider.made[0].kill()
    made = await servers[0].engine.sandboxes.ensure("owner", PROJECT, workspace, lambda _: None)

    async def is_told() -> bool:
        return (await servers[1].get(path))[1]["sandboxUrl"] == made.url

    await until(is_told)
