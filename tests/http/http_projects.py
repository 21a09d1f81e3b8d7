"""Projects and fragments that stand in the store, for tests that ask for them over HTTP."""

from collections.abc import Mapping
from typing import Any

from http_serving import Api, until
from memory_sandbox import MemorySandbox

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, ProjectRecord

PROJECT = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
FRAGMENT = "frag_333"
PAGE = "app/page.tsx"
FILES = {PAGE: "export default 1;\n", "app/globals.css": "body { margin: 0; }"}
CREATED = 1_712_318_445_000
"""2024-04-05T12:00:45.000Z."""


async def a_fragment(
    api: Api,
    *,
    fragment_id: str = FRAGMENT,
    account: str = "owner",
    project: str = PROJECT,
    files: Mapping[str, str | bytes] = FILES,
    has_sandbox: bool = True,
) -> FragmentRecord:
    """A fragment of a new project, in a sandbox of its own."""
    sandbox = None
    if has_sandbox:
        sandbox = await api.engine.sandboxes.create(account, project, lambda _: None)
    made = ProjectRecord(project, account, "To-Do List App", CREATED, CREATED)
    await api.engine.store.save_project(made)
    fragment = FragmentRecord(
        id=fragment_id,
        message_id="msg_222",
        project=project,
        account=account,
        title="To-Do List App",
        version=1,
        created_at=CREATED,
        updated_at=CREATED,
        sandbox_id=sandbox.id if sandbox else None,
        sandbox_url=sandbox.url if sandbox else None,
    )
    contents = {
        ProjectPath.parse(path): content if isinstance(content, bytes) else content.encode()
        for path, content in files.items()
    }
    await api.engine.store.add_fragment(fragment, contents, "Generated")
    return fragment


async def patch(api: Api, body: Any, fragment: str = FRAGMENT, **options: Any) -> tuple[int, Any]:
    """Status and decoded JSON of an edit."""
    async with api.client.patch(f"/api/fragments/{fragment}", json=body, **options) as response:
        return response.status, await response.json()


def edit(files: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The body of an edit of the fragment that `a_fragment` makes."""
    return {"files": dict(files), "projectId": PROJECT, **more}


def sandbox_of(api: Api, number: int = 1) -> MemorySandbox:
    return api.provider.made[number - 1]


async def ended(api: Api, run_id: str) -> str:
    """How a run is once it has ended."""

    async def is_over() -> bool:
        return (await api.get(f"/v1/runs/{run_id}"))[1]["status"] != "running"

    await until(is_over)
    return (await api.get(f"/v1/runs/{run_id}"))[1]["status"]
