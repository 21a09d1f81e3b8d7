"""Request bodies: what may stand in them, and the sentences for what may not."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, cast

from aiohttp import web
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from forge_lsp.errors import InvalidRequest
from forge_lsp.http.state import SETTINGS
from forge_lsp.paths import ProjectPath

INVALID_JSON = "Invalid JSON body"
MAX_CONVERSATION_CHARACTERS = 200
MAX_FILES = 10_000
MAX_PACKAGES = 500
MAX_MESSAGES = 10_000
"""pydantic tells of every wrong item, so a long list of them would take minutes and gigabytes."""
_LACKING = frozenset({"missing", "too_short", "string_too_short", "list_type"})
"""pydantic's names for the ways of not giving a field."""


def _path(value: object) -> ProjectPath:
    if not isinstance(value, str):
        raise InvalidRequest("A path must be a string")
    return ProjectPath.parse(value)


Path = Annotated[ProjectPath, PlainValidator(_path, json_schema_input_type=str)]
"""A path as a client writes it; `PathRefused` passes through pydantic as it is."""


def _few(files: object) -> object:
    # Of a mapping, pydantic looks at every item before it counts them.
    count = len(cast("dict[str, object]", files)) if isinstance(files, dict) else 0
    if count > MAX_FILES:
        raise InvalidRequest(f"context.files: at most {MAX_FILES:,} files are taken")
    return cast("object", files)


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, alias_generator=to_camel, extra="ignore")

    required: ClassVar[Mapping[str, str]] = {}
    """By field: the contract's sentence for its being absent."""


BodyT = TypeVar("BodyT", bound=_Body)


class RecentMessage(_Body):
    """An earlier turn that the client remembers."""

    role: Literal["user", "assistant"]
    content: str


class GenerateContext(_Body):
    """What the model should know."""

    files: Annotated[dict[Path, str] | None, BeforeValidator(_few)] = None
    manifest: dict[str, Any] | None = None
    """A package.json."""
    recent_messages: list[RecentMessage] | None = Field(default=None, max_length=MAX_MESSAGES)


class GenerateBody(_Body):
    """POST /api/generate/stream."""

    required = {"prompt": "Prompt is required"}

    prompt: str = Field(min_length=1)
    is_edit: bool | None = None
    sandbox_id: str | None = None
    conversation_id: str | None = Field(default=None, max_length=MAX_CONVERSATION_CHARACTERS)
    context: GenerateContext | None = None

    @property
    def files(self) -> Mapping[ProjectPath, str] | None:
        """The files that came along; None where none were meant to."""
        return self.context.files if self.context else None

    @model_validator(mode="after")
    def _names_what_to_edit(self) -> Self:
        if self.is_edit and not self.sandbox_id and self.files is None:
            raise InvalidRequest("sandboxId is required when isEdit is true")
        return self


class FileBody(_Body):
    """A whole file."""

    path: Path
    content: str


class ApplyBody(_Body):
    """POST /api/apply/stream."""

    required = {"files": "Files are required"}

    files: list[FileBody] = Field(min_length=1, max_length=MAX_FILES)
    packages: list[str] | None = Field(default=None, max_length=MAX_PACKAGES)
    sandbox_id: str | None = None


class SandboxBody(_Body):
    """POST /api/sandbox/diagnostics."""

    sandbox_id: str | None = None


class KillBody(_Body):
    """POST /api/sandbox/kill. Nothing but leaving the id out means all of them."""

    sandbox_id: str = Field(default="", min_length=1)


class InstallBody(_Body):
    """POST /api/packages/install."""

    required = {"packages": "Packages array is required"}

    packages: list[str] = Field(min_length=1, max_length=MAX_PACKAGES)
    sandbox_id: str | None = None


async def read_body(request: web.Request, body: type[BodyT]) -> BodyT:
    """The request's body. Raises `InvalidRequest`, or what aiohttp says of its type and size."""
    return _decode(await _read(request), body)


async def read_optional_body(request: web.Request, body: type[BodyT]) -> BodyT:
    """The same where no body at all means `{}`."""
    data = await _read(request)
    return _decode(data, body) if data else body.model_validate({})


async def _read(request: web.Request) -> bytes:
    if request.can_read_body and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The body must be application/json")
    try:
        async with asyncio.timeout(request.app[SETTINGS].stall_timeout_s):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _decode(data: bytes, body: type[BodyT]) -> BodyT:
    try:
        document = from_json(data, allow_inf_nan=False)
    except ValueError:
        raise InvalidRequest(INVALID_JSON) from None
    if not isinstance(document, dict):
        raise InvalidRequest(INVALID_JSON)
    try:
        return body.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(_sentence(error, body)) from None


def _sentence(error: ValidationError, body: type[_Body]) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    is_lacking = first["type"] in _LACKING or first["input"] is None
    if len(place) == 1 and is_lacking and place[0] in body.required:
        return body.required[place[0]]
    return f"{'.'.join(place)}: {first['msg']}"
