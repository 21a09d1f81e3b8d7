"""POST /api/generate/stream and POST /api/apply/stream."""

import json
from collections.abc import Mapping

from aiohttp import web

from forge_lsp.actions.apply import ApplyRequest, apply
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.actions.generate import generate
from forge_lsp.actions.packages import PACKAGE_JSON
from forge_lsp.actions.request import GenerateRequest
from forge_lsp.actions.sources import GivenFiles, SandboxFiles
from forge_lsp.http import sse
from forge_lsp.http.bodies import ApplyBody, GenerateBody, GenerateContext, read_body
from forge_lsp.http.sse import ApplyRendering, GenerateRendering, ServerSentEvents
from forge_lsp.http.started import stream_run
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.model import Message
from forge_lsp.ports.workspace import Files


async def generate_stream(request: web.Request) -> web.StreamResponse:
    """Start a generation or an edit, and stream it."""
    engine = await engine_of(request)
    body = await read_body(request, GenerateBody)
    account = account_of(request)
    recent = body.context.recent_messages if body.context else None
    asked = GenerateRequest(
        prompt=body.prompt,
        source=_source(engine, account, body),
        is_edit=bool(body.is_edit),
        recent=[Message(message.role, message.content) for message in recent or ()],
        conversation=_conversation(account, body.conversation_id),
        account=account,
    )
    run = await generate(engine, asked)
    wire = ServerSentEvents(GenerateRendering(), sse.HEARTBEAT)
    return await stream_run(request, engine, run, wire)


async def apply_stream(request: web.Request) -> web.StreamResponse:
    """Start to apply files and packages to a sandbox, and stream it."""
    engine = await engine_of(request)
    body = await read_body(request, ApplyBody)
    account = account_of(request)
    asked = ApplyRequest(
        files={file.path: file.content.encode() for file in body.files},
        packages=body.packages or (),
        sandbox=engine.sandboxes.find(account, body.sandbox_id or None),
        account=account,
    )
    run = await apply(engine, asked)
    return await stream_run(request, engine, run, ServerSentEvents(ApplyRendering()))


def _conversation(account: str, named: str | None) -> str | None:
    """An account's own, whatever others call theirs; the owner's are the editor's, too."""
    if not named:
        return None
    return named if account == OWNER else f"account:{account}/{named}"


def _source(engine: Engine, account: str, body: GenerateBody) -> Files:
    """What the model is shown: the files that came along, else for an edit the sandbox's."""
    if body.is_edit and body.files is None:
        return SandboxFiles(engine.sandboxes.find(account, body.sandbox_id))
    return GivenFiles(_given(body.context))


def _given(context: GenerateContext | None) -> Mapping[ProjectPath, bytes]:
    if context is None:
        return {}
    contents = {path: text.encode() for path, text in (context.files or {}).items()}
    if context.manifest is not None:
        contents.setdefault(PACKAGE_JSON, json.dumps(context.manifest, indent=2).encode())
    return contents
