"""/v1/apps: apps that are built over HTTP, and their files."""

import asyncio

from aiohttp import hdrs, web

from forge_lsp.actions import apps
from forge_lsp.actions.engine import Engine
from forge_lsp.errors import ForgeError
from forge_lsp.http.bodies import read_body
from forge_lsp.http.denials import ProRequired
from forge_lsp.http.failures import json_answer
from forge_lsp.http.pages import Page
from forge_lsp.http.started import stream_run
from forge_lsp.http.state import CALLER, SETTINGS, account_of, engine_of
from forge_lsp.http.times import iso
from forge_lsp.http.v1.bodies import AppFilesBody, GenerateAppBody
from forge_lsp.http.v1.building import check_idle, start_build, with_context
from forge_lsp.http.v1.errors import Unprocessable
from forge_lsp.http.v1.ndjson import wire_of
from forge_lsp.ports.accounts import AppRecord

TEMPLATES = frozenset(
    {"vite", "react", "react-ts", "vite-react", "react-vite", "react-typescript", apps.TEMPLATE}
)
"""The names under which the one that there is may be asked for."""


async def generate(request: web.Request) -> web.StreamResponse:
    """POST /v1/apps/generate: build a new app, or go on in the one of a chat, and stream it."""
    engine = await engine_of(request)
    body = await read_body(request, GenerateAppBody)
    account = account_of(request)
    if body.model_override is not None and request[CALLER].plan != "pro":
        raise ProRequired
    if body.template is not None and body.template.lower() not in TEMPLATES:
        raise Unprocessable(f"template: there is {apps.TEMPLATE} and no other")
    prompt = with_context(body.prompt, body.workspace_context_override)
    aliases = body.augmenters or ()
    if body.chat_id is not None:
        app = await apps.app_of_chat(engine, account, body.chat_id)
        run = await start_build(engine, app, prompt, aliases, body.model_override)
    else:
        app = await apps.new_app(engine, account, body.prompt, None, None)
        try:
            run = await start_build(engine, app, prompt, aliases, body.model_override)
        except ForgeError:
            # What was never begun leaves no app behind.
            await apps.delete(engine, app)
            raise
    wire = wire_of(run.record, request.headers.get(hdrs.ACCEPT, ""))
    return await stream_run(request, engine, run, wire)


async def listed(request: web.Request) -> web.Response:
    """GET /v1/apps: the account's apps, the newest first."""
    engine = await engine_of(request)
    page = Page.asked(request.query)
    account, limit = account_of(request), page.limit + 1
    found = await engine.store.apps(account, limit=limit, before=page.before)
    return json_answer(page.of(found, lambda app: (app.created_at, app.id), told))


async def get(request: web.Request) -> web.Response:
    """GET /v1/apps/{id}."""
    return json_answer(told(await _app(await engine_of(request), request)))


async def delete(request: web.Request) -> web.Response:
    """DELETE /v1/apps/{id}: with its files and its sandbox."""
    engine = await engine_of(request)
    app = await _app(engine, request)
    await check_idle(engine, app)
    await apps.delete(engine, app)
    return json_answer({"id": app.id, "deleted": True})


async def fork(request: web.Request) -> web.Response:
    """POST /v1/apps/{id}/fork: another app with the same files, and a chat of its own."""
    engine = await engine_of(request)
    app = await _app(engine, request)
    return json_answer(told(await apps.fork(engine, app)), 201)


async def files(request: web.Request) -> web.Response:
    """GET /v1/apps/{id}/files: all that are text; others are named in `omitted`."""
    engine = await engine_of(request)
    return json_answer(await _files(engine, await _app(engine, request)))


async def write_files(request: web.Request) -> web.Response:
    """PATCH /v1/apps/{id}/files: write whole files, into its sandbox too; gives all of them."""
    engine = await engine_of(request)
    body = await read_body(request, AppFilesBody)
    app = await _app(engine, request)
    contents = {path: _as_bytes(text) for path, text in body.files.items()}
    try:
        async with asyncio.timeout(request.app[SETTINGS].sandbox_timeout_s):
            await apps.write_files(engine, app, contents)
    except TimeoutError:
        raise web.HTTPGatewayTimeout(
            text="The app's sandbox took too long over the files; see which it has, and try again"
        ) from None
    return json_answer(await _files(engine, app))


def told(app: AppRecord) -> dict[str, object]:
    """The app as clients know it."""
    return {
        "id": app.id,
        "chatId": app.chat_id,
        "workspaceId": app.workspace_id,
        "prompt": app.prompt,
        "template": app.template,
        "previewUrl": app.preview_url,
        "deployUrl": app.deploy_url,
        "status": app.status,
        "createdAt": iso(app.created_at),
        "updatedAt": iso(app.updated_at),
    }


async def _app(engine: Engine, request: web.Request) -> AppRecord:
    return await apps.app_of(engine, account_of(request), request.match_info["id"])


async def _files(engine: Engine, app: AppRecord) -> dict[str, object]:
    contents = await engine.store.app_files(app.id)
    texts = {path: _as_text(content) for path, content in contents.items()}
    return {
        "files": {str(path): text for path, text in texts.items() if text is not None},
        "omitted": [str(path) for path, text in texts.items() if text is None],
    }


def _as_text(content: bytes) -> str | None:
    """The very text, so that what is sent back changes nothing; None for what is none."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _as_bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
