"""Holds what the API answers to what it says of itself."""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web
from jsonschema import Draft202012Validator

from forge_lsp.http.application import OPEN_ROUTES, ROUTES
from forge_lsp.http.openapi.document import describe


@functools.cache
def described() -> Mapping[str, Any]:
    """The document, as a client would decode it."""
    app = web.Application()
    app.add_routes([*OPEN_ROUTES, *ROUTES])
    return json.loads(json.dumps(describe(app.router.routes())))


def canonical(route: web.RouteDef) -> str:
    """Its path as the document has it, without what a parameter must look like."""
    return re.sub(r"\{(\w+):[^{}]*\}", r"{\1}", route.path)


def schema(name: str) -> Mapping[str, Any]:
    return described()["components"]["schemas"][name]


def problems(of: Mapping[str, Any], value: Any) -> list[str]:
    """What is wrong with a value by this schema."""
    rooted = {**of, "components": described()["components"]}
    found = Draft202012Validator(rooted).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def event_schema(path: str) -> Mapping[str, Any]:
    """That of what a stream's events hold."""
    content = described()["paths"][path]["post"]["responses"]["200"]["content"]
    return content["text/event-stream"]["schema"]["properties"]["data"]["contentSchema"]


async def check(path: str, response: aiohttp.ClientResponse) -> None:
    """Fail where the answer has a status, a header, a type or a shape that isn't described."""
    operation = described()["paths"][path][response.method.lower()]
    status = str(response.status)
    assert status in operation["responses"], f"{response.method} {path}: {status} isn't described"
    answer = operation["responses"][status]
    assert response.content_type in answer["content"], response.content_type
    for name in set(answer["headers"]) - {"Retry-After"}:
        assert name in response.headers, name
    content = answer["content"][response.content_type]
    if response.content_type == "application/json":
        assert problems(content["schema"], await response.json()) == []
    elif response.content_type == "text/event-stream":
        told = content["schema"]["properties"]["data"]["contentSchema"]
        for block in (await response.text()).removesuffix("\n\n").split("\n\n"):
            event = json.loads(block.partition("data: ")[2])
            assert problems(told, event) == []
    elif response.content_type == "application/x-ndjson":
        for line in (await response.read()).split(b"\n"):
            assert not line or problems(content["schema"], json.loads(line)) == []
