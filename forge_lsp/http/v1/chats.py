"""POST /v1/chats/{id}/messages: what is said in the chat of an app."""

from aiohttp import hdrs, web

from forge_lsp.actions.apps import app_of_chat
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.request import check_prompt
from forge_lsp.actions.talking import talk
from forge_lsp.errors import InvalidRequest
from forge_lsp.http.bodies import read_body
from forge_lsp.http.started import stream_run
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.http.v1.bodies import MessageBody
from forge_lsp.http.v1.building import start_build
from forge_lsp.http.v1.ndjson import wire_of
from forge_lsp.http.v1.skills import start_skill
from forge_lsp.ports.accounts import AppRecord
from forge_lsp.runs import Run


async def say(request: web.Request) -> web.StreamResponse:
    """POST /v1/chats/{id}/messages: build on, talk about the app, or run a skill on it."""
    engine = await engine_of(request)
    body = await read_body(request, MessageBody)
    app = await app_of_chat(engine, account_of(request), request.match_info["id"])
    if body.augmenters and body.mode in ("chat", "skill"):
        raise InvalidRequest("augmenters: they belong to a message of the mode build")
    run = await _start(engine, app, body)
    wire = wire_of(run.record, request.headers.get(hdrs.ACCEPT, ""))
    return await stream_run(request, engine, run, wire)


async def _start(engine: Engine, app: AppRecord, body: MessageBody) -> Run:
    match body.mode:
        case "chat":
            return await talk(engine, app, body.prompt)
        case "skill":
            check_prompt(body.prompt, engine.settings.generation.max_prompt_bytes)
            alias, *more = body.prompt.split(maxsplit=1)
            args = more[0].strip() if more else None
            alias = alias.removeprefix("/")
            return await start_skill(engine, app, alias, args, said=body.prompt)
        case "build" | None:
            return await start_build(engine, app, body.prompt, body.augmenters or ())
