"""Request bodies of /v1."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict, JsonValue

from forge_lsp.generation.skills import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_SKILL_CHARACTERS,
    MAX_TAG_CHARACTERS,
    MAX_TAGS,
    MAX_TITLE_CHARACTERS,
)
from forge_lsp.http.bodies import Body, Path, few

MAX_AUGMENTERS = 20
MAX_ID_CHARACTERS = 200
MAX_NAME_CHARACTERS = 128

_SAID: JsonDict = {"pattern": r"[^\s\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"}
"""Of text, which may not be blank."""
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
Alias = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
Augmenter = Annotated[Alias, Field(json_schema_extra={"format": "augmenter"})]
Augmenters = Annotated[list[Augmenter], Field(max_length=MAX_AUGMENTERS)]
Model = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$", max_length=MAX_NAME_CHARACTERS)
]
Prompt = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"\S"})]
Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARACTERS, json_schema_extra=_SAID)]
_ALIAS = {"alias": "Alias is required"}
_FILES = {"files": "Files are required"}
_PROMPT = {"prompt": "Prompt is required"}


class GenerateAppBody(Body):
    """POST /v1/apps/generate."""

    required = _PROMPT

    prompt: Prompt
    """What to build."""
    template: str | None = Field(
        default=None,
        max_length=MAX_NAME_CHARACTERS,
        json_schema_extra={"enum": ["vite-react-ts", None]},
    )
    """What the app starts from; left out: `vite-react-ts`, which is all there is."""
    chat_id: Id | None = None
    """A chat of an app that is there already: the build goes on in that."""
    augmenters: Augmenters | None = None
    """What is carried out once the app stands, in this order, by alias."""
    model_override: Model | None = None
    """The id of the model that builds, at the same provider, for accounts on the plan pro; left
    out: the usual one."""
    workspace_context_override: str | dict[str, Any] | None = None
    """What the model should know beside the prompt: a text, or JSON."""


class AppFilesBody(Body):
    """PATCH /v1/apps/{id}/files."""

    required = _FILES

    files: Annotated[dict[Path, str | None], Field(min_length=1), BeforeValidator(few)]
    """Whole files by their path; null takes one away. Others stay."""


_AUGMENTED_BUILDS: JsonDict = {
    "anyOf": [
        {"properties": {"mode": {"enum": ["build", None]}}},
        {"properties": {"augmenters": {"anyOf": [{"type": "null"}, {"maxItems": 0}]}}},
    ]
}


class MessageBody(Body):
    """POST /v1/chats/{id}/messages."""

    model_config = ConfigDict(json_schema_extra=_AUGMENTED_BUILDS)

    required = _PROMPT

    prompt: Prompt
    """What is said; in the mode `skill` an alias, and after it what the skill is to be told."""
    mode: Literal["build", "chat", "skill"] | None = None
    """`build`, which is usual, changes the app; `chat` talks about it; `skill` runs one on it."""
    augmenters: Augmenters | None = None
    """Of a build: what is carried out once the app stands, in this order, by alias."""


class SkillBody(Body):
    """POST /v1/skills."""

    required = _ALIAS

    alias: Alias = Field(json_schema_extra={"pattern": "^[a-z0-9][a-z0-9-]{0,63}$"})
    """By which it is run: a-z, 0-9 and hyphens, at most 64 of them."""
    title: str = Field(min_length=1, max_length=MAX_TITLE_CHARACTERS, json_schema_extra=_SAID)
    """Of one line."""
    description: str = Field(
        min_length=1, max_length=MAX_DESCRIPTION_CHARACTERS, json_schema_extra=_SAID
    )
    """What it is for."""
    kind: Literal["critique", "augmenter"]
    """A critique says what it finds, an augmenter changes the app."""
    system_prompt: str = Field(
        min_length=1, max_length=MAX_SKILL_CHARACTERS, json_schema_extra=_SAID
    )
    """What the model is to do."""
    sample_args: Any = None
    """Arguments that it may be run with, as an example."""
    tags: list[Tag] | None = Field(default=None, max_length=MAX_TAGS)
    """By which it may be found."""


_SUBJECTS = ("appId", "chatId", "url", "text")


def _one_of(subjects: tuple[str, ...]) -> JsonDict:
    """The schema of a body that has one of these, and none of the others."""
    ways: list[JsonValue] = []
    for subject in subjects:
        types: JsonDict = {
            name: {"type": "string" if name == subject else "null"} for name in _SUBJECTS
        }
        required: list[JsonValue] = [subject]
        ways.append({"properties": types, "required": required})
    return {"oneOf": ways}


class RunSkillBody(Body):
    """POST /v1/skills/run; one of `appId`, `chatId`, `url` and `text` says what it is about."""

    model_config = ConfigDict(json_schema_extra=_one_of(_SUBJECTS))

    required = _ALIAS

    alias: Alias
    """Which skill."""
    app_id: Id | None = None
    """The app that it looks at."""
    chat_id: Id | None = None
    """The app of this chat, whose messages it is shown, too."""
    url: Annotated[str, Field(json_schema_extra={"format": "preview-url"})] | None = None
    """The preview of a sandbox of the account's own; no other address is looked at."""
    text: Prompt | None = None
    """A text that it looks at, and nothing else."""
    args: Any = None
    """What it is told beside: any JSON."""


class RunAugmenterBody(RunSkillBody):
    """POST /v1/augmenters/run; one of `appId` and `chatId` says what it changes."""

    model_config = ConfigDict(json_schema_extra=_one_of(("appId", "chatId")))

    alias: Augmenter
    """Which augmenter."""
    dry_run: bool | None = None
    """Tell what would be written, and write nothing."""
    force: bool | None = None
    """Also change files of which other changes wait for review."""
