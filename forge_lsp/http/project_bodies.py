"""Request bodies of /api/projects, /api/messages and /api/fragments."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from forge_lsp.errors import InvalidRequest
from forge_lsp.http.bodies import INVALID_JSON, Body, Path, few

MIN_ID_CHARACTERS = 3
MIN_MESSAGE_CHARACTERS = 3
MAX_MESSAGE_CHARACTERS = 1000
MAX_ID_CHARACTERS = 4096
"""A project that is open in an editor has its folder's URI for an id."""
MAX_URL_CHARACTERS = 2048
MAX_VERSION = 2**31 - 1
_FILES = {"files": "Files are required"}
_NOT_IN_JSON = re.compile(r"[\x00\ud800-\udfff]")
_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)


def _fit_for_a_path(value: object) -> object:
    if isinstance(value, str) and _NOT_IN_JSON.search(value):
        raise InvalidRequest(f"{INVALID_JSON}: a path holds NUL or half a character")
    return value


def _said(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "Message is required")
    return text


def _web_address(url: str) -> str:
    if not _WEB_ADDRESS.fullmatch(url):
        raise PydanticCustomError("web_address", "An http or https address is asked for")
    return url


def _whole(number: object) -> object:
    # JSON knows one kind of numbers, in which 1.0 is 1.
    return int(number) if isinstance(number, float) and number.is_integer() else number


_SAID: JsonDict = {"pattern": r"\S"}
EditedPath = Annotated[Path, BeforeValidator(_fit_for_a_path)]
Id = Annotated[str, Field(min_length=MIN_ID_CHARACTERS, max_length=MAX_ID_CHARACTERS)]
Message = Annotated[
    str,
    Field(
        min_length=MIN_MESSAGE_CHARACTERS,
        max_length=MAX_MESSAGE_CHARACTERS,
        json_schema_extra=_SAID,
    ),
    AfterValidator(_said),
]
WebAddress = Annotated[
    str,
    Field(max_length=MAX_URL_CHARACTERS, json_schema_extra={"format": "web-address"}),
    AfterValidator(_web_address),
]


class NewProjectBody(Body):
    """POST /api/projects."""

    message: Message
    """What to make."""
    image_url: WebAddress | None = None
    """Of a picture that is kept with the message."""


class NewMessageBody(Body):
    """POST /api/messages."""

    message: Message
    """What to change."""
    project_id: Id
    """In which project."""
    image_url: WebAddress | None = None
    """Of a picture that is kept with the message."""


class FragmentBody(Body):
    """PATCH /api/fragments/{id}."""

    required = _FILES

    files: Annotated[dict[EditedPath, str], Field(min_length=1), BeforeValidator(few)]
    """Whole files by their path; others stay."""
    project_id: Id
    """The project that the fragment is of."""
    sandbox_id: str | None = Field(default=None, max_length=MAX_ID_CHARACTERS)
    """Where to write them, for a fragment that has no sandbox."""


class RestoreBody(Body):
    """POST /api/fragments/{id}/restore."""

    version: Annotated[int, Field(ge=1, le=MAX_VERSION), BeforeValidator(_whole)]
    """Whose files are to be the newest ones."""
