"""POST /v1/chats/{id}/messages: what is said in the chat of an app."""

from aiohttp import hdrs, web

from forge_lsp.actions.apps import app_of_chat
from forge_lsp.http.bodies import read_body
from forge_lsp.http.started import stream_run
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.http.v1.bodies import MessageBody
from forge_lsp.http.v1.building import start_build
from forge_lsp.http.v1.ndjson import wire_of


async def say(request: web.Request) -> web.StreamResponse:
    """POST /v1/chats/{id}/messages: build on, talk about the app, or run a skill on it."""
    engine = await engine_of(request)
    body = await read_body(request, MessageBody)
    app = await app_of_chat(engine, account_of(request), request.match_info["id"])
    run = await start_build(engine, app, body.prompt, body.augmenters or ())
    wire = wire_of(run.record, request.headers.get(hdrs.ACCEPT, ""))
    return await stream_run(request, engine, run, wire)
