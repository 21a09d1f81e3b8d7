"""Speaks to /v1: starts runs, and reads the lines that they are told in."""

import json
from collections.abc import Sequence
from typing import Any

from http_serving import Api

from forge_lsp.actions import apps
from forge_lsp.actions.accounts import TokenRequest, create_token
from forge_lsp.events import Event, RunFinished
from forge_lsp.paths import ProjectPath
from forge_lsp.runs import Run

ENDS = {"ready", "done", "cancelled", "error"}


def lines(data: bytes) -> list[dict[str, Any]]:
    """Each line's JSON, without blank ones; fails on one that is none, and on one without end."""
    assert data.endswith(b"\n"), data[-200:]
    return [json.loads(line) for line in data.split(b"\n") if line]


def bare(told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines without what each has: the run and its place in it."""
    return [{k: v for k, v in line.items() if k not in ("runId", "id")} for line in told]


async def said(api: Api, path: str, **options: Any) -> bytes:
    """All that a stream says that is answered well."""
    async with api.client.get(path, **options) as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def begin(
    api: Api, kind: str, events: Sequence[Event], last: RunFinished, account: str = "owner"
) -> Run:
    """A run that says just that."""

    async def work(run: Run) -> RunFinished:
        for event in events:
            await run.append(event)
        return last

    return await api.engine.runs.start(work, kind=kind, title="x", project="", account=account)


async def token(api: Api, name: str = "ci", **asked: Any) -> dict[str, str]:
    """The headers of whoever has a new token."""
    text, _ = await create_token(api.engine.store, TokenRequest(name, **asked))
    return {"Authorization": f"Bearer {text}"}


async def stream(api: Api, path: str, body: Any, **options: Any) -> list[dict[str, Any]]:
    """Every line of a stream that is answered well."""
    async with api.client.post(path, json=body, **options) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/x-ndjson"
        return lines(await response.read())


async def app_with(api: Api, files: dict[str, bytes], account: str = "owner") -> str:
    """The id of an app that holds just these files."""
    app = await apps.new_app(api.engine, account, "x", None, None)
    contents = {ProjectPath.parse(path): content for path, content in files.items()}
    await api.engine.store.put_app_files(app.id, contents)
    return app.id
