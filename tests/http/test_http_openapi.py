"""GET /openapi.json: it says all that the API does, and nothing else."""

import io
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from http_description import canonical, check, described, event_schema, problems, schema
from http_fuzzing import fuzz
from http_serving import Api, payloads, serving, settings, until
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from forge_lsp.errors import SandboxFailed
from forge_lsp.events import EditType, Event, Outcome, RunFinished
from forge_lsp.http import bodies, failures, project_bodies
from forge_lsp.http.application import OPEN_ROUTES, ROUTES
from forge_lsp.http.idempotency import KEY
from forge_lsp.http.needs import NEEDS
from forge_lsp.http.openapi.operations import OPERATIONS
from forge_lsp.http.sse import ApplyRendering, GenerateRendering
from forge_lsp.http.v1 import bodies as v1_bodies

PROMPT = "Create a React counter component with increment and decrement buttons"
FILES = [{"path": "src/A.tsx", "content": "export default 1;\n"}]
GENERATE, APPLY = "/api/generate/stream", "/api/apply/stream"
BUILD = "/v1/apps/generate"
PROJECTS = "^/api/(projects|messages|fragments)"
"""What has a test of its own."""
OPERATION_NAMES = [
    (method.upper(), path) for path, each in described()["paths"].items() for method in each
]


async def test_it_is_served_as_it_is_made(api: Api) -> None:
    status, document = await api.get("/openapi.json")
    assert status == 200
    assert document == described()
    assert document["openapi"] == "3.1.0"


def test_every_route_is_described_and_nothing_that_is_no_route() -> None:
    routes = {(route.method, canonical(route)) for route in (*OPEN_ROUTES, *ROUTES)}
    assert set(OPERATION_NAMES) == routes
    assert set(OPERATIONS) == routes
    assert set(NEEDS) == routes


@pytest.mark.parametrize(("method", "path"), OPERATION_NAMES)
def test_every_operation_says_what_it_is_and_who_may(method: str, path: str) -> None:
    operation = described()["paths"][path][method.lower()]
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"][0] in [tag["name"] for tag in described()["tags"]]
    scopes = [scope for each in operation["security"] for scope in each["token"]]
    assert scopes == list(NEEDS[method, path].scopes)
    assert ("401" in operation["responses"]) == bool(scopes)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [
        operation["operationId"]
        for methods in described()["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"\w+", name) for name in names)


@pytest.mark.parametrize("name", sorted(described()["components"]["schemas"]))
def test_every_shape_is_a_schema_that_says_what_it_is(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["description"]


def body_models() -> list[type[BaseModel]]:
    made = {**vars(bodies), **vars(project_bodies), **vars(v1_bodies)}.values()
    models = [each for each in made if isinstance(each, type) and issubclass(each, BaseModel)]
    return [each for each in models if each not in (BaseModel, bodies.Body)]


@pytest.mark.parametrize("model", body_models())
def test_every_field_of_a_body_is_described(model: type[BaseModel]) -> None:
    fields = schema(model.__name__)["properties"]
    assert set(fields) == {field.alias for field in model.model_fields.values()}
    for name, field in fields.items():
        assert field.get("description"), f"{model.__name__}.{name}"


def test_every_body_has_an_example_that_fits() -> None:
    for (method, path), operation in OPERATIONS.items():
        if operation.body is not None:
            described_body = described()["paths"][path][method.lower()]["requestBody"]
            content = described_body["content"]["application/json"]
            assert problems(content["schema"], content["example"]) == []


def test_every_status_of_a_failure_is_described_where_it_may_come() -> None:
    said = {
        int(status)
        for methods in described()["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    assert set(failures._STATUSES.values()) <= said


def test_the_codes_of_v1_are_those_that_failures_use() -> None:
    codes = set(schema("V1ErrorDetail")["properties"]["code"]["enum"])
    assert set(failures._V1_CODES.values()) <= codes
    types = set(schema("V1ErrorDetail")["properties"]["type"]["enum"])
    assert set(failures._V1_TYPES.values()) <= types


@pytest.mark.parametrize("path", [GENERATE, APPLY])
def test_every_event_of_a_stream_has_an_example_that_fits(path: str) -> None:
    content = described()["paths"][path]["post"]["responses"]["200"]["content"]
    examples = content["text/event-stream"]["examples"]
    union = schema(event_schema(path)["$ref"].rpartition("/")[2])
    assert set(examples) == {each["$ref"].rpartition("/")[2] for each in union["oneOf"]}
    for example in examples.values():
        assert problems(event_schema(path), json.loads(example["value"]["data"])) == []


@pytest.mark.parametrize("outcome", get_args(Outcome))
@pytest.mark.parametrize(
    ("path", "rendering"), [(GENERATE, GenerateRendering), (APPLY, ApplyRendering)]
)
def test_every_end_of_a_run_is_described(path: str, rendering: Any, outcome: Outcome) -> None:
    for said in rendering().render(RunFinished(outcome, "model_failed", "It broke.")):
        assert problems(event_schema(path), said) == []


def test_every_kind_of_edit_is_described() -> None:
    found = schema("Generated")["properties"]["editType"]
    assert tuple(found["enum"]) == get_args(EditType)


def test_an_event_with_a_field_that_is_not_described_would_be_found() -> None:
    event = {"type": "status", "message": "x", "more": 1}
    assert problems(event_schema(GENERATE), event)
    assert get_args(Event)


async def test_all_that_goes_well_is_as_described(api: Api) -> None:
    counter = {"src/Counter.tsx": "export default function Counter() {\n  return <p>0</p>;\n}\n"}
    edit = {"prompt": "Add a reset button", "isEdit": True, "context": {"files": counter}}
    bad = {"packages": ["react", "missing-package"]}
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/api/health", None),
        ("GET", "/api/ready", None),
        ("GET", "/openapi.json", None),
        ("GET", "/docs", None),
        ("GET", "/metrics", None),
        ("POST", "/api/sandbox/create", None),
        ("GET", "/api/sandbox/status", None),
        ("GET", "/api/sandbox/files", None),
        ("POST", GENERATE, {"prompt": PROMPT}),
        ("POST", GENERATE, edit),
        ("POST", APPLY, {"files": FILES, **bad}),
        ("POST", "/api/packages/install", {"packages": ["react"]}),
        ("POST", "/api/packages/install", bad),
        ("POST", APPLY, {"files": [{"path": "src/B.tsx", "content": "BROKEN:server\nBROKEN\n"}]}),
        ("POST", "/api/sandbox/diagnostics", {}),
        ("POST", "/api/sandbox/kill", {}),
    ]
    for method, path, body in asked:
        async with api.client.request(method, path, json=body) as response:
            assert response.status == 200, await response.text()
            await check(path, response)


async def test_a_run_from_its_start_to_its_cancel_is_as_described(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=5.0)) as api:
        async with api.client.post(GENERATE, json={"prompt": PROMPT}) as stream:
            run = f"/v1/runs/{stream.headers['X-Run-Id']}"
            async with api.client.get(run) as response:
                await check("/v1/runs/{id}", response)
            async with api.client.post(f"{run}/cancel") as response:
                assert response.status in (200, 202)
                await check("/v1/runs/{id}/cancel", response)
            events = payloads(await stream.read())
        assert events[-1] == {"type": "cancelled"}
        assert all(problems(event_schema(GENERATE), event) == [] for event in events)
        async with api.client.post(f"{run}/cancel") as response:
            assert response.status == 409
            await check("/v1/runs/{id}/cancel", response)


@pytest.mark.parametrize(("method", "path"), OPERATION_NAMES)
async def test_every_refusal_of_a_caller_is_as_described(api: Api, method: str, path: str) -> None:
    asked = path.replace("{id}", "run_unknown")
    for headers, statuses in (
        ({"Authorization": "Bearer wrong"}, (401, 200)),
        ({"Host": "evil.example"}, (421,)),
        ({"Origin": "https://evil.example"}, (403,)),
    ):
        async with api.client.request(method, asked, headers=headers, json={}) as response:
            assert response.status in statuses
            await check(path, response)


@pytest.mark.parametrize(
    ("method", "path"), [each for each in OPERATION_NAMES if OPERATIONS[each].body is not None]
)
async def test_every_refusal_of_a_body_is_as_described(api: Api, method: str, path: str) -> None:
    for data, kind, status in (
        (b"{", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * (11 * 1024 * 1024), "application/json", 413),
    ):
        headers = {"Content-Type": kind}
        sent, asked = io.BytesIO(data), path.replace("{id}", "unknown")
        async with api.client.request(method, asked, data=sent, headers=headers) as response:
            assert response.status == status
            await check(path, response)


@pytest.mark.parametrize(
    ("method", "path"), [each for each in OPERATION_NAMES if 404 in OPERATIONS[each].failures]
)
async def test_what_is_not_there_is_as_described(api: Api, method: str, path: str) -> None:
    operation = OPERATIONS[method, path]
    body = operation.example
    if path == GENERATE:
        body = {"prompt": PROMPT, "isEdit": True, "sandboxId": "sb_unknown"}
    elif path == BUILD:
        body = {"prompt": PROMPT, "chatId": "chat_unknown"}
    asked = path.replace("{id}", "run_unknown")
    needed = [name for name, each in operation.query.items() if each.is_required]
    if path == "/v1/skills":
        needed = ["appId"]
    asked += "?" + "&".join(f"{name}=unknown" for name in needed)
    async with api.client.request(method, asked, json=body) as response:
        assert response.status == 404
        await check(path, response)


async def test_a_sandbox_that_fails_is_as_described(api: Api) -> None:
    await api.post("/api/sandbox/create")

    async def broken(_packages: object) -> None:
        raise SandboxFailed("It would not do what it was told.")

    api.provider.made[0].install = broken  # type: ignore[method-assign]
    async with api.client.post("/api/packages/install", json={"packages": ["react"]}) as response:
        assert response.status == 500
        await check("/api/packages/install", response)


@pytest.mark.parametrize("path", [path for method, path in OPERATION_NAMES if method == "POST"])
async def test_a_bad_key_is_as_described(api: Api, path: str) -> None:
    parameters = described()["paths"][path]["post"]["parameters"]
    assert KEY in [each["name"] for each in parameters]
    asked = path.replace("{id}", "run_unknown")
    async with api.client.post(asked, json={}, headers={KEY: "no key"}) as response:
        assert response.status == 400
        await check(path, response)


@pytest.mark.slow
async def test_schemathesis_finds_nothing_with_all_its_checks(api: Api, tmp_path: Path) -> None:
    await api.post("/api/sandbox/create")
    # A sandbox that was killed answers with 500, as the contract has it, so that comes last.
    await fuzz(api, tmp_path, "--exclude-path-regex", f"^/v1/|{PROJECTS}|^/api/sandbox/kill$")
    await fuzz(api, tmp_path, "--include-path", "/api/sandbox/kill")
    await until(lambda: api.engine.runs.under_way == 0)
