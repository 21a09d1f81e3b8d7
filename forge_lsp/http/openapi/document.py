"""Makes the description from the routes, the operations and the models."""

import functools
import inspect
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import forge_lsp
from forge_lsp.http import idempotency
from forge_lsp.http.needs import NEEDS
from forge_lsp.http.openapi import answers
from forge_lsp.http.openapi.operation import EVENTS, JSON, NDJSON, Operation, Parameter
from forge_lsp.http.openapi.operations import (
    COMMON,
    OF_MODEL,
    OPERATIONS,
    WITH_BODY,
    WITH_KEY,
    WITH_TOKEN,
)
from forge_lsp.http.openapi.projects import FragmentError

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"
_TAGS = {
    "Streams": "Runs that are told as they go: server-sent events, one JSON object each.",
    "Sandboxes": "Where the apps run.",
    "Apps": "Apps that are built here, and the chats in which they are changed.",
    "Projects": "Apps that are talked with, and the files of each answer, edited from anywhere.",
    "Skills": "What looks at apps and says what it finds, and what changes them.",
    "Runs": "What became of a stream; its id is the stream's `X-Run-Id`.",
    "Operations": "For those who run the server.",
}
_RETRY_AFTER = frozenset({429, 503})
_REPEATABLE = frozenset({"POST", "PATCH"})
_KEY_PARAMETER: Json = {
    "name": idempotency.KEY,
    "in": "header",
    "description": "Within 24 hours the same key with the same request is answered as before.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
}


def describe(routes: Iterable[web.AbstractRoute]) -> Json:
    """The OpenAPI 3.1 document of these routes.

    A route without an `Operation` is described by its handler's docstring alone.
    """
    schemas = _schemas()
    paths: dict[str, Json] = {}
    for route in routes:
        if route.resource is not None and route.method != "HEAD":
            path = route.resource.canonical
            operation = OPERATIONS.get((route.method, path)) or _undescribed(route)
            paths.setdefault(path, {})[route.method.lower()] = _operation(
                route, path, operation, schemas
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "forge-lsp",
            "version": forge_lsp.__version__,
            "summary": "The AI app builder of your editor, for tools that aren't editors.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`forge-lsp token show` prints one.",
                }
            },
        },
    }


def _undescribed(route: web.AbstractRoute) -> Operation:
    doc = inspect.getdoc(route.handler) or ""
    return Operation(summary=doc.partition("\n")[0], tag="Operations")


def _operation(
    route: web.AbstractRoute, path: str, operation: Operation, schemas: Mapping[str, Json]
) -> Json:
    doc = inspect.getdoc(route.handler) or ""
    described: Json = {
        "operationId": route.handler.__name__ + "_" + route.handler.__module__.rpartition(".")[2],
        "summary": operation.summary,
        "description": " ".join(doc.split()),
        "tags": [operation.tag],
        "parameters": [
            *_path_parameters(path, operation.id_schema),
            *_parameters("query", operation.query),
            *_parameters("header", operation.headers),
            *([_KEY_PARAMETER] if route.method in _REPEATABLE else []),
        ],
        "responses": _responses(route.method, path, operation, schemas),
    }
    needs = NEEDS.get((route.method, path))
    if needs is not None:
        # One of the scopes is enough, which is what alternatives say.
        described["security"] = [{"token": [scope]} for scope in needs.scopes]
    if operation.body is not None:
        content: Json = {"schema": _ref(operation.body)}
        if operation.example is not None:
            content["example"] = dict(operation.example)
        described["requestBody"] = {
            "required": operation.is_body_required,
            "content": {JSON: content},
        }
    return described


def _path_parameters(path: str, schema: Mapping[str, Any]) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": dict(schema)}
        for name in re.findall(r"\{(\w+)[^}]*\}", path)
    ]


def _parameters(place: str, given: Mapping[str, Parameter]) -> list[Json]:
    return [
        {
            "name": name,
            "in": place,
            "description": parameter.meaning,
            "schema": dict(parameter.schema),
            **({"required": True} if parameter.is_required else {}),
        }
        for name, parameter in given.items()
    ]


def _responses(method: str, path: str, operation: Operation, schemas: Mapping[str, Json]) -> Json:
    failures = dict(COMMON)
    needs = NEEDS.get((method, path))
    if needs is None or not needs.is_open:
        failures |= WITH_TOKEN
    if method in _REPEATABLE:
        failures |= WITH_KEY
    if operation.body is not None:
        failures |= WITH_BODY
    if operation.events is not None:
        failures |= OF_MODEL
    failures |= operation.failures
    well = [operation.status] if operation.also is None else [operation.status, operation.also]
    found = {str(status): _success(operation, schemas) for status in well}
    error = _error(path)
    for status, when in sorted(failures.items()):
        found[str(status)] = {
            "description": when,
            "headers": _headers(status),
            "content": {JSON: {"schema": _ref(error)}},
        }
    return found


def _error(path: str) -> type[BaseModel]:
    if path.startswith("/v1/"):
        return answers.V1Error
    return FragmentError if path.startswith("/api/fragments") else answers.ApiError


def _success(operation: Operation, schemas: Mapping[str, Json]) -> Json:
    headers = _headers(200)
    for name, meaning in operation.gives.items():
        headers[name] = {"description": meaning, "schema": {"type": "string"}}
    content: Json = {"schema": {"type": "string"}}
    contents = {operation.media_type: content}
    if operation.events is not None:
        headers["X-Run-Id"] = {"description": "The run's id.", "schema": {"type": "string"}}
        contents = {EVENTS: _stream(operation.events, schemas)}
        if operation.media_type == NDJSON:
            contents = {NDJSON: _lines(operation.events, schemas), **contents}
    elif operation.answer is not None:
        content["schema"] = _ref(operation.answer)
    elif operation.media_type == JSON:
        content["schema"] = {"type": "object"}
    return {
        "description": HTTPStatus(operation.status).phrase,
        "headers": headers,
        "content": contents,
    }


def _lines(lines: type[BaseModel], schemas: Mapping[str, Json]) -> Json:
    """The schema is that of one line."""
    examples = {
        name: {"summary": schemas[name]["description"], "value": _as_told(example)}
        for name in _members(schemas[lines.__name__])
        for example in schemas[name]["examples"]
    }
    return {"schema": _ref(lines), "examples": examples}


def _stream(events: type[BaseModel], schemas: Mapping[str, Json]) -> Json:
    """The schema is that of one server-sent event, whose `data` is JSON of its own."""
    data = {
        "type": "string",
        "contentMediaType": JSON,
        "contentSchema": _ref(events),
        "description": "One JSON object on one line.",
    }
    examples = {
        name: {"summary": schemas[name]["description"], "value": _said(example)}
        for name in _members(schemas[events.__name__])
        for example in schemas[name]["examples"]
    }
    return {
        "schema": {
            "type": "object",
            "description": "Each event is a line `data: <json>` and a blank one, under /v1 with "
            "its `id:` before that.",
            "properties": {"data": data},
            "required": ["data"],
        },
        "examples": examples,
    }


def _said(event: Json) -> Json:
    return {"data": msgspec.json.encode(_as_told(event)).decode()}


def _as_told(event: Json) -> Json:
    # pydantic sorts what stands in a schema; on the wire the type comes first.
    first = {name: event[name] for name in ("type", "runId", "id") if name in event}
    return first | event


def _members(union: Json) -> list[str]:
    return [member["$ref"].rpartition("/")[2] for member in union["oneOf"]]


def _headers(status: int) -> Json:
    headers: Json = {
        "X-Request-Id": {
            "description": "The request's id: the client's own, where that is fit to print.",
            "schema": {"type": "string"},
        }
    }
    if status in _RETRY_AFTER:
        headers["Retry-After"] = {
            "description": "Seconds until it is worth trying again.",
            "schema": {"type": "string"},
        }
    return headers


def _ref(model: type[BaseModel]) -> Json:
    return {"$ref": _REF.format(model=model.__name__)}


@functools.cache
def _schemas() -> dict[str, Json]:
    errors = (answers.ApiError, answers.V1Error, FragmentError)
    models: dict[type[BaseModel], None] = dict.fromkeys(errors)
    for operation in OPERATIONS.values():
        for model in (operation.body, operation.answer, operation.events):
            if model is not None:
                models[model] = None
    _, document = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    return {name: _tidied(schema) for name, schema in sorted(document["$defs"].items())}


def _tidied(schema: Any) -> Any:
    """Without what pydantic adds that tells a reader nothing: titles, and null as a default."""
    if isinstance(schema, list):
        return [_tidied(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    members = cast("dict[str, Any]", schema)
    return {
        name: value if name == "examples" else _tidied(value)
        for name, value in members.items()
        if not (name == "default" and value is None)
        and not (name == "title" and isinstance(value, str))
    }
