"""Request bodies of /v1."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from forge_lsp.http.bodies import Body, Path, few

MAX_AUGMENTERS = 20
MAX_ID_CHARACTERS = 200
MAX_NAME_CHARACTERS = 128

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
Alias = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS)]
Prompt = Annotated[str, Field(min_length=1, json_schema_extra={"pattern": r"\S"})]
Augmenters = Annotated[list[Alias], Field(max_length=MAX_AUGMENTERS)]
_PROMPT = {"prompt": "Prompt is required"}
_FILES = {"files": "Files are required"}


class GenerateAppBody(Body):
    """POST /v1/apps/generate."""

    required = _PROMPT

    prompt: Prompt
    """What to build."""
    template: str | None = Field(default=None, max_length=MAX_NAME_CHARACTERS)
    """What the app starts from; left out: `vite-react-ts`, which is all there is."""
    chat_id: Id | None = None
    """A chat of an app that is there already: the build goes on in that."""
    augmenters: Augmenters | None = None
    """What is carried out once the app stands, in this order, by alias."""
    model_override: str | None = Field(default=None, max_length=MAX_NAME_CHARACTERS)
    """The model that has to write the code."""
    workspace_context_override: str | dict[str, Any] | None = None
    """What the model should know beside the prompt: a text, or JSON."""


class AppFilesBody(Body):
    """PATCH /v1/apps/{id}/files."""

    required = _FILES

    files: Annotated[dict[Path, str | None], Field(min_length=1), BeforeValidator(few)]
    """Whole files by their path; null takes one away. Others stay."""


class MessageBody(Body):
    """POST /v1/chats/{id}/messages."""

    required = _PROMPT

    prompt: Prompt
    """What is said; in the mode `skill` an alias, and after it what the skill is to be told."""
    mode: Literal["build", "chat", "skill"] | None = None
    """`build`, which is usual, changes the app; `chat` talks about it; `skill` runs one on it."""
    augmenters: Augmenters | None = None
    """Of a build: what is carried out once the app stands, in this order, by alias."""
