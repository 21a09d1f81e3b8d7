"""forge.fragments and forge.fragment.update."""

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from forge_lsp.errors import InvalidRequest
from forge_lsp.lsp import arguments
from forge_lsp.lsp.session import Session
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from forge_lsp.actions.engine import Engine
    from forge_lsp.ports.projects import FragmentRecord

OWNER = "owner"
MOST_FRAGMENTS = 50


async def fragments(
    session: Session, given: arguments.Fragments, token: types.ProgressToken | None
) -> list[dict[str, Any]]:
    """The newest first, each with its files' paths and its versions."""
    del token
    project = given.project_id
    if project is None:
        project = (await session.workspace(given.text_document)).project
    engine = await session.engine()
    found = await engine.store.fragments(project, limit=MOST_FRAGMENTS)
    return [await _told(engine, each) for each in found if each.account == OWNER]


async def update(
    session: Session, given: arguments.FragmentUpdate, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Write files of a fragment: into its sandbox, the fragment, and the workspace."""
    del token
    from forge_lsp.actions.fragment_edits import FragmentUpdate, update_fragment

    if not given.fragment_id or not given.files:
        raise InvalidRequest(
            "A fragment and files are required.",
            remedy='Give {"fragmentId": "frag_…", "files": {"src/App.tsx": "…"}}; '
            "forge.fragments lists them.",
        )
    workspace = await session.workspace(given.text_document)
    engine = await session.engine(workspace)
    files = {
        ProjectPath.parse(path): None if text is None else text.encode("utf-8", "replace")
        for path, text in given.files.items()
    }
    merged = await update_fragment(engine, FragmentUpdate(given.fragment_id, files, OWNER))
    return await _told(engine, merged)


async def _told(engine: "Engine", fragment: "FragmentRecord") -> dict[str, Any]:
    files = await engine.store.fragment_files(fragment.id)
    return {
        "id": fragment.id,
        "messageId": fragment.message_id,
        "title": fragment.title,
        "version": fragment.version,
        "sandboxId": fragment.sandbox_id,
        "sandboxUrl": fragment.sandbox_url,
        "createdAt": fragment.created_at,
        "updatedAt": fragment.updated_at,
        "files": list(files),
        "versions": [
            {
                "version": each.version,
                "createdAt": each.created_at,
                "reason": each.reason,
                "changed": list(each.changed),
            }
            for each in await engine.store.fragment_versions(fragment.id)
        ],
    }
