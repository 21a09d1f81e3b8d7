"""/api/projects and /api/messages: projects that are talked with."""

from aiohttp import web

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.projects import new_project, project_of, send
from forge_lsp.http.bodies import InvalidField, read_body
from forge_lsp.http.failures import json_answer
from forge_lsp.http.pages import Page
from forge_lsp.http.project_bodies import MIN_ID_CHARACTERS, NewMessageBody, NewProjectBody
from forge_lsp.http.state import ATTENDANCE, account_of, engine_of
from forge_lsp.http.times import iso
from forge_lsp.ports.projects import ProjectMessage, ProjectRecord
from forge_lsp.runs import Run


async def create(request: web.Request) -> web.Response:
    """POST /api/projects: begin a project and its first generation, and answer at once.

    The run goes on whether or not anybody listens; /v1/runs/{runId}/events tells of it. `id` is
    the project's.
    """
    engine = await engine_of(request)
    body = await read_body(request, NewProjectBody)
    asked = await new_project(engine, account_of(request), body.message, body.image_url)
    return _begun(request, asked.project.id, asked.run)


async def listed(request: web.Request) -> web.Response:
    """GET /api/projects: the account's, the newest first."""
    engine = await engine_of(request)
    page = Page.asked(request.query)
    found = await engine.store.projects(
        account_of(request), limit=page.limit + 1, before=page.before
    )
    return json_answer(page.of(found, lambda each: (each.created_at, each.id), _project))


async def messages(request: web.Request) -> web.Response:
    """GET /api/messages: what was said in a project, the newest first."""
    engine = await engine_of(request)
    page = Page.asked(request.query)
    project = await project_asked_for(engine, request)
    found = await engine.store.project_messages(
        project.id, limit=page.limit + 1, before=page.before
    )
    return json_answer(page.of(found, lambda each: (each.created_at, each.id), _message))


async def say(request: web.Request) -> web.Response:
    """POST /api/messages: go on in a project, from its newest fragment, and answer at once.

    The run goes on whether or not anybody listens. `id` is the message's; its answer, which is
    a message, too, names the fragment that came of it.
    """
    engine = await engine_of(request)
    body = await read_body(request, NewMessageBody)
    project = await project_of(engine, account_of(request), body.project_id)
    asked = await send(engine, project, body.message, body.image_url)
    return _begun(request, asked.message_id, asked.run)


async def project_asked_for(engine: Engine, request: web.Request) -> ProjectRecord:
    """The project that the query names.

    Raises `InvalidField` where it names none, `NotFound` for what isn't the account's.
    """
    project_id = request.query.get("projectId", "")
    if len(project_id) < MIN_ID_CHARACTERS:
        raise InvalidField(f"projectId: at least {MIN_ID_CHARACTERS} characters are asked for")
    return await project_of(engine, account_of(request), project_id)


def _begun(request: web.Request, of: str, run: Run) -> web.Response:
    request.app[ATTENDANCE].count(run)
    return json_answer({"id": of, "runId": run.id}, 201, {"X-Run-Id": run.id})


def _project(project: ProjectRecord) -> dict[str, object]:
    return {
        "id": project.id,
        "name": project.name,
        "createdAt": iso(project.created_at),
        "updatedAt": iso(project.updated_at),
    }


def _message(message: ProjectMessage) -> dict[str, object]:
    return {
        "id": message.id,
        "projectId": message.project,
        "role": message.role.upper(),
        "type": message.type,
        "content": message.text,
        "imageUrl": message.image_url,
        "runId": message.run_id,
        "fragmentId": message.fragment_id,
        "createdAt": iso(message.created_at),
    }
