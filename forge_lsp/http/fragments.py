"""/api/fragments: the files that messages were answered with, edited from anywhere."""

from collections.abc import Collection

from aiohttp import hdrs, web

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.fragment_edits import FragmentUpdate, restore_fragment, update_fragment
from forge_lsp.actions.fragments import fragment_of
from forge_lsp.errors import InvalidRequest, VersionConflict
from forge_lsp.events import DesignSpec
from forge_lsp.http.bodies import InvalidField, read_body
from forge_lsp.http.failures import json_answer
from forge_lsp.http.pages import Page
from forge_lsp.http.project_bodies import MIN_ID_CHARACTERS, FragmentBody, RestoreBody
from forge_lsp.http.projects import project_asked_for
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.http.times import iso
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import FragmentRecord, FragmentVersion


async def listed(request: web.Request) -> web.Response:
    """GET /api/fragments: a project's, the newest first."""
    engine = await engine_of(request)
    page = Page.asked(request.query)
    project = await project_asked_for(engine, request)
    found = await engine.store.fragments(project.id, limit=page.limit + 1, before=page.before)
    told = {each.id: await _told(engine, each) for each in found[: page.limit]}
    answer = page.of(
        found, lambda fragment: (fragment.created_at, fragment.id), lambda each: told[each.id]
    )
    return json_answer(answer)


async def get(request: web.Request) -> web.Response:
    """GET /api/fragments/{id}; its ETag is for the If-Match of an edit."""
    engine = await engine_of(request)
    return await _answer(engine, await _fragment(engine, request))


async def update(request: web.Request) -> web.Response:
    """PATCH /api/fragments/{id}: write whole files into its sandbox, then into the fragment, then
    into the workspace where an editor has it open; gives the whole fragment.

    Those just written stand first in `files`. Where the sandbox can't be written, nothing is
    kept; where it has ended, it is made anew. A sandbox that another server has, and a workspace
    that is open in an editor, get them right after the answer; there, what collides with what
    somebody typed waits for review.
    """
    engine = await engine_of(request)
    fragment_id = _id_of(request)
    body = await read_body(request, FragmentBody)
    fragment = await fragment_of(engine, account_of(request), fragment_id, body.project_id)
    asked = FragmentUpdate(
        fragment_id,
        {path: content.encode() for path, content in body.files.items()},
        fragment.account,
        project=body.project_id,
        sandbox_id=body.sandbox_id or None,
        expected=_expected(request, fragment),
    )
    return await _answer(engine, await update_fragment(engine, asked), body.files)


async def versions(request: web.Request) -> web.Response:
    """GET /api/fragments/{id}/versions: all that it ever was, the newest first."""
    engine = await engine_of(request)
    page = Page.asked(request.query)
    fragment = await _fragment(engine, request)
    newest = page.before[0] if page.before else fragment.version + 1
    known = await engine.store.fragment_versions(fragment.id)
    found = [each for each in known if each.version < newest]
    answer = page.of(found, lambda each: (each.version, fragment.id), _version)
    return json_answer(answer)


async def restore(request: web.Request) -> web.Response:
    """POST /api/fragments/{id}/restore: make a version's files the newest ones; the versions
    between stay."""
    engine = await engine_of(request)
    fragment_id = _id_of(request)
    body = await read_body(request, RestoreBody)
    fragment = await fragment_of(engine, account_of(request), fragment_id)
    expected = _expected(request, fragment)
    restored = await restore_fragment(
        engine, fragment.account, fragment_id, body.version, expected=expected
    )
    return await _answer(engine, restored)


async def _answer(
    engine: Engine, fragment: FragmentRecord, first: Collection[ProjectPath] = ()
) -> web.Response:
    told = await _told(engine, fragment, first)
    return json_answer(told, headers={hdrs.ETAG: _tag(fragment)})


async def _told(
    engine: Engine, fragment: FragmentRecord, first: Collection[ProjectPath] = ()
) -> dict[str, object]:
    """The fragment as clients know it; files that are no text are left out."""
    contents = await engine.store.fragment_files(fragment.id, fragment.version)
    order = dict.fromkeys([*first, *contents])
    texts = {path: _as_text(contents[path]) for path in order if path in contents}
    return {
        "id": fragment.id,
        "messageId": fragment.message_id,
        "sandboxUrl": fragment.sandbox_url,
        "sandboxId": fragment.sandbox_id,
        "title": fragment.title,
        "files": {str(path): text for path, text in texts.items() if text is not None},
        "imageUrl": fragment.image_url,
        "designSpec": _design(fragment.design_spec),
        "createdAt": iso(fragment.created_at),
        "updatedAt": iso(fragment.updated_at),
    }


def _as_text(content: bytes) -> str | None:
    """The very text, so that what is sent back changes nothing; None for what is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _design(spec: DesignSpec | None) -> dict[str, object] | None:
    if spec is None:
        return None
    return {
        "palette": spec.palette,
        "typography": spec.typography,
        "layout": spec.layout,
        "components": list(spec.components),
    }


def _version(version: FragmentVersion) -> dict[str, object]:
    return {
        "version": version.version,
        "createdAt": iso(version.created_at),
        "reason": version.reason,
        "changed": list(version.changed),
    }


async def _fragment(engine: Engine, request: web.Request) -> FragmentRecord:
    return await fragment_of(engine, account_of(request), _id_of(request))


def _id_of(request: web.Request) -> str:
    fragment_id = request.match_info["id"]
    if len(fragment_id) < MIN_ID_CHARACTERS:
        raise InvalidField(f"fragmentId: at least {MIN_ID_CHARACTERS} characters are asked for")
    return fragment_id


def _expected(request: web.Request, fragment: FragmentRecord) -> int | None:
    """The version that the client made its change for; None where it takes whichever there is.

    Raises `VersionConflict` where its If-Match names none that is the newest, `InvalidRequest`
    where it names nothing.
    """
    given = request.headers.getall(hdrs.IF_MATCH, ())
    tags = {tag.strip() for each in given for tag in each.split(",")}
    if not given or "*" in tags:
        return None
    if tags == {""}:
        raise InvalidRequest("If-Match: an ETag, an updatedAt or * is asked for")
    updated_at = iso(fragment.updated_at)
    if tags.isdisjoint({_tag(fragment), updated_at, f'"{updated_at}"'}):
        raise VersionConflict(f"The fragment {fragment.id} has changed since it was read.")
    return fragment.version


def _tag(fragment: FragmentRecord) -> str:
    return f'"{fragment.version}"'
