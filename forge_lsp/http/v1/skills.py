"""/v1/skills and /v1/augmenters: what there is, an account's own, and running them."""

import json
from collections.abc import Sequence

import msgspec
from aiohttp import hdrs, web

from forge_lsp.actions.apps import app_of, app_of_chat, app_workspace
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.shelf import MOST_IN_ACCOUNT
from forge_lsp.actions.skills import (
    AugmenterRequest,
    Skill,
    SkillRequest,
    add_skill,
    find_skill,
    known_skills,
    run_augmenter,
    run_skill,
)
from forge_lsp.actions.sources import GivenFiles, SandboxFiles
from forge_lsp.clock import now_ms
from forge_lsp.errors import Conflict, InvalidRequest
from forge_lsp.http.bodies import read_body
from forge_lsp.http.failures import json_answer
from forge_lsp.http.pages import Page
from forge_lsp.http.started import stream_run
from forge_lsp.http.state import account_of, engine_of
from forge_lsp.http.v1.bodies import RunAugmenterBody, RunSkillBody, SkillBody
from forge_lsp.http.v1.building import alone, find_augmenter
from forge_lsp.http.v1.errors import Unprocessable
from forge_lsp.http.v1.ndjson import wire_of
from forge_lsp.ports.accounts import AppRecord, SkillRecord
from forge_lsp.ports.sandbox import Sandbox
from forge_lsp.runs import Run

ONE_SUBJECT = "Exactly one of appId, chatId, url and text is required"


async def listed(request: web.Request) -> web.Response:
    """GET /v1/skills: ours, the account's and, with `appId`, those of that app, by alias."""
    engine = await engine_of(request)
    page = Page.asked(request.query)
    app_id, account = request.query.get("appId"), account_of(request)
    workspace = None
    if app_id is not None:
        workspace = app_workspace(engine, await app_of(engine, account, app_id))
    known = sorted(await known_skills(engine, account, workspace), key=lambda each: each.alias)
    after = page.before[1] if page.before else ""
    rest = [skill for skill in known if skill.alias > after]
    return json_answer(page.of(rest, lambda skill: (0, skill.alias), told))


async def add(request: web.Request) -> web.Response:
    """POST /v1/skills: keep a skill of the account's own, in place of its one of that alias."""
    engine = await engine_of(request)
    body = await read_body(request, SkillBody)
    await _check_room(engine, account_of(request), body.alias)
    sample = "" if body.sample_args is None else json.dumps(body.sample_args, ensure_ascii=False)
    record = SkillRecord(
        account=account_of(request),
        alias=body.alias,
        title=body.title,
        description=body.description,
        kind=body.kind,
        system_prompt=body.system_prompt,
        created_at=now_ms(),
        sample_args=sample,
        tags=tuple(body.tags or ()),
    )
    return json_answer(told(await add_skill(engine, record)), 201)


async def run(request: web.Request) -> web.StreamResponse:
    """POST /v1/skills/run: have a critique look at an app, a preview or a text, and stream it."""
    engine = await engine_of(request)
    body = await read_body(request, RunSkillBody)
    asked = await _asked(engine, account_of(request), body)
    return await _streamed(request, engine, await run_skill(engine, asked))


async def augment(request: web.Request) -> web.StreamResponse:
    """POST /v1/augmenters/run: have an augmenter change an app, or tell how, and stream it."""
    engine = await engine_of(request)
    body = await read_body(request, RunAugmenterBody)
    _check_subject(body)
    app = await _app(engine, account_of(request), body)
    if app is None:
        raise Unprocessable("An augmenter changes an app: name it by appId or chatId")
    skill = await find_augmenter(engine, app, body.alias)
    started = await start_augmenter(
        engine, app, skill, args=body.args, dry_run=bool(body.dry_run), force=bool(body.force)
    )
    return await _streamed(request, engine, started)


async def start_skill(
    engine: Engine, app: AppRecord, alias: str, args: object, *, said: str
) -> Run:
    """Start a critique or an augmenter on an app, in its chat, where that is what was `said`.

    Raises what these do.
    """
    workspace = app_workspace(engine, app)
    skill = await find_skill(engine, app.account, alias, workspace)
    if skill.kind == "augmenter":
        return await start_augmenter(engine, app, skill, args=args)
    asked = SkillRequest(
        skill,
        workspace,
        args=args,
        workspace=workspace,
        account=app.account,
        conversation=app.chat_id,
        said=said,
    )
    return await run_skill(engine, asked)


async def start_augmenter(
    engine: Engine,
    app: AppRecord,
    skill: Skill,
    *,
    args: object,
    dry_run: bool = False,
    force: bool = False,
) -> Run:
    """Start an augmenter on an app; raises `Conflict` while another run changes that."""
    asked = AugmenterRequest(
        skill,
        app_workspace(engine, app),
        account=app.account,
        dry_run=dry_run,
        force=force,
        args=args,
        is_accepted=True,
    )
    if dry_run:
        return await run_augmenter(engine, asked)
    async with alone(engine, app):
        return await run_augmenter(engine, asked)


def told(skill: Skill) -> dict[str, object]:
    """The skill as clients know it."""
    sample = msgspec.Raw(skill.sample_args.encode()) if skill.sample_args else None
    return {
        "alias": skill.alias,
        "title": skill.title,
        "description": skill.description,
        "kind": skill.kind,
        "tags": list(skill.tags),
        "sampleArgs": sample,
        "custom": skill.is_custom,
        "origin": skill.origin,
    }


async def _check_room(engine: Engine, account: str, alias: str) -> None:
    known = {record.alias for record in await engine.store.skills(account)}
    if alias not in known and len(known) >= MOST_IN_ACCOUNT:
        raise Conflict(f"An account may keep {MOST_IN_ACCOUNT:,} skills; replace one of yours")


async def _asked(engine: Engine, account: str, body: RunSkillBody) -> SkillRequest:
    _check_subject(body)
    app = await _app(engine, account, body)
    if app is not None:
        workspace = app_workspace(engine, app)
        skill = await find_skill(engine, account, body.alias, workspace)
        chat = app.chat_id if body.chat_id is not None else None
        return SkillRequest(
            skill,
            workspace,
            args=body.args,
            workspace=workspace,
            account=account,
            conversation=chat,
        )
    skill = await find_skill(engine, account, body.alias)
    if body.url is not None:
        source = SandboxFiles(await _previewed(engine, account, body.url))
        return SkillRequest(skill, source, args=body.args, account=account)
    return SkillRequest(skill, GivenFiles({}), body.text, args=body.args, account=account)


def _check_subject(body: RunSkillBody) -> None:
    subjects: Sequence[str | None] = (body.app_id, body.chat_id, body.url, body.text)
    if sum(subject is not None for subject in subjects) != 1:
        raise InvalidRequest(ONE_SUBJECT)


async def _app(engine: Engine, account: str, body: RunSkillBody) -> AppRecord | None:
    if body.app_id is not None:
        return await app_of(engine, account, body.app_id)
    if body.chat_id is not None:
        return await app_of_chat(engine, account, body.chat_id)
    return None


async def _previewed(engine: Engine, account: str, url: str) -> Sandbox:
    """The account's sandbox whose preview that is: no address is ever asked for anything."""
    sandbox = engine.sandboxes.at(account, url)
    if sandbox is None or not await sandbox.is_alive():
        raise Unprocessable(
            "url: only the preview of a living sandbox of your own is looked at; "
            "give other pages as text"
        )
    return sandbox


async def _streamed(request: web.Request, engine: Engine, started: Run) -> web.StreamResponse:
    wire = wire_of(started.record, request.headers.get(hdrs.ACCEPT, ""))
    return await stream_run(request, engine, started, wire)
