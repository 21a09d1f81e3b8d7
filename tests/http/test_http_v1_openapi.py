"""What /v1 answers and streams is as /openapi.json says."""

from pathlib import Path
from typing import Any

import pytest
from http_description import check, described, problems, schema
from http_fuzzing import fuzz
from http_serving import Api, until
from http_v1 import app_with, lines

from forge_lsp.http.needs import NEEDS
from forge_lsp.http.openapi.operation import NDJSON
from forge_lsp.http.openapi.operations import OPERATIONS

PROMPT = {"prompt": "A landing page with pricing and a footer"}
STREAMS = [each for each, operation in OPERATIONS.items() if operation.media_type == NDJSON]


def answer(method: str, path: str) -> Any:
    return described()["paths"][path][method.lower()]["responses"]["200"]["content"]


@pytest.mark.parametrize(("method", "path"), STREAMS)
def test_every_line_of_a_stream_has_an_example_that_fits(method: str, path: str) -> None:
    content = answer(method, path)
    assert set(content) == {NDJSON, "text/event-stream"}
    union = schema(content[NDJSON]["schema"]["$ref"].rpartition("/")[2])
    examples = content[NDJSON]["examples"]
    assert set(examples) == {each["$ref"].rpartition("/")[2] for each in union["oneOf"]}
    for example in examples.values():
        assert problems(content[NDJSON]["schema"], example["value"]) == []


def test_every_route_that_starts_a_run_under_v1_says_that_it_streams_lines() -> None:
    streamed = {path for _, path in STREAMS}
    assert streamed == {
        path for method, path in OPERATIONS if path.startswith("/v1/") and _starts(method, path)
    } | {"/v1/runs/{id}/events"}


def _starts(method: str, path: str) -> bool:
    return NEEDS[method, path].starts_run


async def test_an_app_from_its_build_to_its_end_is_as_described(api: Api) -> None:
    async with api.client.post("/v1/apps/generate", json=PROMPT) as response:
        assert response.status == 200
        built = lines(await response.read())
        await check("/v1/apps/generate", response)
    app_id, run_id = built[-1]["appId"], built[0]["runId"]
    _, app = await api.get(f"/v1/apps/{app_id}")
    files = {"files": {"src/New.tsx": "1\n"}}
    ids = {"apps": app_id, "runs": run_id, "chats": app["chatId"]}
    asked: list[tuple[str, str, Any, int]] = [
        ("GET", "/v1/apps", None, 200),
        ("GET", "/v1/apps/{id}", None, 200),
        ("GET", "/v1/apps/{id}/files", None, 200),
        ("PATCH", "/v1/apps/{id}/files", files, 200),
        ("POST", "/v1/apps/{id}/fork", None, 201),
        ("POST", "/v1/chats/{id}/messages", {"prompt": "A counter"}, 200),
        ("GET", "/v1/runs/{id}", None, 200),
        ("GET", "/v1/runs/{id}/events", None, 200),
        ("POST", "/v1/runs/{id}/rollback", None, 409),
        ("DELETE", "/v1/apps/{id}", None, 200),
        ("DELETE", "/v1/apps/{id}", None, 404),
    ]
    for method, path, body, status in asked:
        url = path.replace("{id}", ids[path.split("/")[2]])
        async with api.client.request(method, url, json=body) as response:
            assert response.status == status, (method, path, await response.text())
            await check(path, response)


async def test_a_rollback_that_goes_well_is_as_described(api: Api) -> None:
    async with api.client.post("/v1/apps/generate", json=PROMPT) as response:
        run_id = lines(await response.read())[0]["runId"]
    async with api.client.post(f"/v1/runs/{run_id}/rollback") as response:
        assert response.status == 200
        await check("/v1/runs/{id}/rollback", response)


async def test_events_as_server_sent_events_are_as_described(api: Api) -> None:
    async with api.client.post("/v1/apps/generate", json=PROMPT) as response:
        path = f"/v1/runs/{lines(await response.read())[0]['runId']}/events"
    async with api.client.get(path, headers={"Accept": "text/event-stream"}) as response:
        assert response.content_type == "text/event-stream"
        await check("/v1/runs/{id}/events", response)


async def test_skills_are_as_described(api: Api) -> None:
    app_id = await app_with(api, {"src/App.tsx": b"export default 1;\n"})
    own = dict(OPERATIONS["POST", "/v1/skills"].example or {})
    asked: list[tuple[str, str, Any, int]] = [
        ("GET", "/v1/skills", None, 200),
        ("POST", "/v1/skills", own, 201),
        ("GET", "/v1/skills", None, 200),
        ("POST", "/v1/skills", {**own, "alias": "seo"}, 409),
        ("POST", "/v1/skills/run", {"alias": "review", "appId": app_id}, 200),
        ("POST", "/v1/skills/run", {"alias": "copy", "text": "Welcome"}, 200),
        ("POST", "/v1/skills/run", {"alias": "copy", "url": "http://127.0.0.1/"}, 422),
        ("POST", "/v1/augmenters/run", {"alias": "seo", "appId": app_id, "dryRun": True}, 200),
        ("POST", "/v1/augmenters/run", {"alias": "a11y", "appId": app_id}, 200),
        ("POST", "/v1/augmenters/run", {"alias": "review", "appId": app_id}, 400),
        ("POST", "/v1/augmenters/run", {"alias": "seo", "text": "x"}, 422),
    ]
    for method, path, body, status in asked:
        async with api.client.request(method, path, json=body) as response:
            assert response.status == status, (method, path, await response.text())
            await check(path, response)


@pytest.mark.slow
async def test_schemathesis_finds_nothing_under_v1(api: Api, tmp_path: Path) -> None:
    await api.post("/api/sandbox/create")
    await fuzz(api, tmp_path, "--include-path-regex", "^/v1/")
    await until(lambda: api.engine.runs.under_way == 0)
