"""Request bodies: what may stand in them, and the sentences for what may not."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import PayloadEncodingError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import from_json

from forge_lsp.errors import InvalidRequest
from forge_lsp.http.state import SETTINGS
from forge_lsp.paths import MAX_PATH_BYTES, ProjectPath

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


_PATH_SCHEMA: JsonDict = {"format": "project-path", "maxLength": MAX_PATH_BYTES, "minLength": 1}
Path = Annotated[
    ProjectPath,
    PlainValidator(
        _path, json_schema_input_type=Annotated[str, Field(json_schema_extra=_PATH_SCHEMA)]
    ),
]
"""A path as a client writes it; `PathRefused` passes through pydantic as it is."""
Package = Annotated[str, Field(min_length=1, json_schema_extra={"format": "npm-package"})]
"""A package by `name` or `name@range`; the sandbox says which ones it won't take."""


class InvalidField(InvalidRequest):
    """A field that isn't as it must be, of a body that could be read."""

    code = "invalid_field"


def few(files: object, info: ValidationInfo) -> object:
    """Raises `InvalidField` for more files than are taken."""
    # Of a mapping, pydantic looks at every item before it counts them.
    count = len(cast("dict[str, object]", files)) if isinstance(files, dict) else 0
    if count > MAX_FILES:
        raise InvalidField(f"{info.field_name}: at most {MAX_FILES:,} files are taken")
    return cast("object", files)


class Body(BaseModel):
    """What a client sends; fields that nobody knows are ignored."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    required: ClassVar[Mapping[str, str]] = {}
    """By field: the contract's sentence for its being absent."""


BodyT = TypeVar("BodyT", bound=Body)


class RecentMessage(Body):
    """An earlier turn that the client remembers."""

    role: Literal["user", "assistant"]
    """Who said it."""
    content: str
    """What was said."""


class GenerateContext(Body):
    """What the model should know."""

    files: Annotated[dict[Path, str] | None, BeforeValidator(few)] = None
    """The project's files by their path; for an edit, instead of the sandbox's."""
    manifest: dict[str, Any] | None = None
    """A package.json."""
    recent_messages: list[RecentMessage] | None = Field(default=None, max_length=MAX_MESSAGES)
    """The conversation so far, the oldest message first; the last 20 are used."""


_NAMES_WHAT_TO_EDIT: JsonDict = {
    "anyOf": [
        {"properties": {"isEdit": {"enum": [False, None]}}},
        {
            "properties": {"sandboxId": {"type": "string", "minLength": 1}},
            "required": ["sandboxId"],
        },
        {
            "properties": {
                "context": {
                    "type": "object",
                    "properties": {"files": {"type": "object"}},
                    "required": ["files"],
                }
            },
            "required": ["context"],
        },
    ]
}


class GenerateBody(Body):
    """POST /api/generate/stream."""

    model_config = ConfigDict(json_schema_extra=_NAMES_WHAT_TO_EDIT)

    required = {"prompt": "Prompt is required"}

    prompt: str = Field(min_length=1, json_schema_extra={"pattern": r"\S"})
    """What to make, or what to change."""
    is_edit: bool | None = None
    """Change what exists; then `sandboxId` or `context.files` must be given."""
    sandbox_id: str | None = None
    """Whose files are edited."""
    conversation_id: str | None = Field(default=None, max_length=MAX_CONVERSATION_CHARACTERS)
    """Its earlier messages are context, and this turn is stored in it."""
    context: GenerateContext | None = None
    """What the model should know."""

    @property
    def files(self) -> Mapping[ProjectPath, str] | None:
        """The files that came along; None where none were meant to."""
        return self.context.files if self.context else None

    @model_validator(mode="after")
    def _names_what_to_edit(self) -> Self:
        if self.is_edit and not self.sandbox_id and self.files is None:
            raise InvalidRequest("sandboxId is required when isEdit is true")
        return self


class FileBody(Body):
    """A whole file."""

    path: Path
    """Where it goes, relative to the project."""
    content: str
    """All of it."""


class ApplyBody(Body):
    """POST /api/apply/stream."""

    required = {"files": "Files are required"}

    files: list[FileBody] = Field(min_length=1, max_length=MAX_FILES)
    """What to put into the sandbox."""
    packages: list[Package] | None = Field(default=None, max_length=MAX_PACKAGES)
    """What to install before that, by `name` or `name@range`."""
    sandbox_id: str | None = None
    """None: the active one, which was created or used last."""


class SandboxBody(Body):
    """POST /api/sandbox/diagnostics."""

    sandbox_id: str | None = None
    """None: the active one, which was created or used last."""


class KillBody(Body):
    """POST /api/sandbox/kill. Nothing but leaving the id out means all of them."""

    sandbox_id: str = Field(default="", min_length=1)
    """Left out: all of this account's."""


class InstallBody(Body):
    """POST /api/packages/install."""

    required = {"packages": "Packages array is required"}

    packages: list[Package] = Field(min_length=1, max_length=MAX_PACKAGES)
    """npm packages by `name` or `name@range`."""
    sandbox_id: str | None = None
    """None: the active one, which was created or used last."""


async def received(request: web.Request) -> bytes:
    """The body as it came, unpacked; empty where there is none.

    Raises `InvalidRequest` where it lacks its end or can't be unpacked, and what aiohttp says of
    its type and size.
    """
    if request.can_read_body and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The body must be application/json")
    try:
        async with asyncio.timeout(request.app[SETTINGS].stall_timeout_s):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, PayloadEncodingError, ConnectionError):
        raise InvalidRequest(INVALID_JSON) from None
    # What is unpacked to nothing was cut off, and nothing may stand for everything.
    if not body and hdrs.CONTENT_ENCODING in request.headers:
        raise InvalidRequest(INVALID_JSON)
    return body


async def read_body(request: web.Request, body: type[BodyT]) -> BodyT:
    """The request's body.

    Raises `InvalidRequest`, for what is wrong in a field `InvalidField`; or what aiohttp says of
    its type and size.
    """
    return _decode(await received(request), body)


async def read_optional_body(request: web.Request, body: type[BodyT]) -> BodyT:
    """The same where no body at all means `{}`."""
    data = await received(request)
    return _decode(data, body) if data else body.model_validate({})


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
        raise InvalidField(_sentence(error, body)) from None


def _sentence(error: ValidationError, body: type[Body]) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = [str(part) for part in first["loc"]]
    is_lacking = first["type"] in _LACKING or first["input"] is None
    if len(place) == 1 and is_lacking and place[0] in body.required:
        return body.required[place[0]]
    return f"{'.'.join(place)}: {first['msg']}"
