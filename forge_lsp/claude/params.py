"""What the Messages API is sent for a ModelRequest."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Literal

from anthropic.types import (
    AssistantMessageParam,
    ImageBlockParam,
    MessageParam,
    OutputConfigParam,
    TextBlockParam,
    UserMessageParam,
)
from anthropic.types.message_create_params import MessageCreateParamsStreaming

from forge_lsp.ports.model import ModelRequest
from forge_lsp.settings import ModelSettings


def message_params(request: ModelRequest, settings: ModelSettings) -> MessageCreateParamsStreaming:
    """The body of the request, what changes least first.

    The project's context is the user's first block and not a second system block: it caches as
    well, and a file of the workspace never speaks with the system's voice.
    """
    params = MessageCreateParamsStreaming(
        model=model_for(request, settings),
        max_tokens=settings.max_output_tokens,
        messages=_turns(request, settings),
        stream=True,
    )
    if system := _system(request, settings):
        params["system"] = [_block(system, cached=settings.prompt_caching)]
    if output_config := _output_config(request, settings):
        params["output_config"] = output_config
    return params


def model_for(request: ModelRequest, settings: ModelSettings) -> str:
    """The id of the model that answers `request`."""
    if request.model is not None:
        return request.model
    named = {
        "code": settings.code,
        "select": settings.select,
        "plan": settings.plan,
        "review": settings.review,
        "augment": settings.augment,
        "skill": settings.skill,
        "summarise": settings.summarise or settings.select,
    }
    return named[request.purpose] or settings.code


def _system(request: ModelRequest, settings: ModelSettings) -> str:
    if request.schema is None or settings.structured_output:
        return request.system
    schema = json.dumps(request.schema)
    return f"{request.system}\n\nAnswer with JSON alone, fitting this JSON schema: {schema}".strip()


def _output_config(request: ModelRequest, settings: ModelSettings) -> OutputConfigParam:
    config = OutputConfigParam()
    if request.schema is not None and settings.structured_output:
        schema: Mapping[str, Any] = request.schema
        config["format"] = {"type": "json_schema", "schema": dict(schema)}
    if settings.effort and request.purpose not in ("select", "summarise"):
        # The small model is asked for speed, and may not know of effort.
        config["effort"] = settings.effort
    return config


def _turns(request: ModelRequest, settings: ModelSettings) -> list[MessageParam]:
    """The conversation with the context before it, as turns that alternate.

    The API takes empty texts and a first turn of the assistant's for errors, and the chat
    templates of local models two turns of one role in a row.
    """
    turns: list[tuple[Literal["user", "assistant"], list[TextBlockParam | ImageBlockParam]]] = []
    if request.context.strip():
        turns.append(("user", [_block(request.context, cached=settings.prompt_caching)]))
    for message in request.messages:
        if not message.text.strip():
            continue
        block = _block(message.text, cached=False)
        if turns and turns[-1][0] == message.role:
            turns[-1][1].append(block)
        elif turns or message.role == "user":
            turns.append((message.role, [block]))
    if request.picture is not None and turns and settings.pictures:
        turns[-1][1].append(_picture(request.picture))
    return [
        UserMessageParam(role="user", content=blocks)
        if role == "user"
        else AssistantMessageParam(role="assistant", content=blocks)
        for role, blocks in turns
    ]


def _picture(png: bytes) -> ImageBlockParam:
    data = base64.b64encode(png).decode()
    return ImageBlockParam(
        type="image", source={"type": "base64", "media_type": "image/png", "data": data}
    )


def _block(text: str, *, cached: bool) -> TextBlockParam:
    block = TextBlockParam(type="text", text=text)
    if cached:
        block["cache_control"] = {"type": "ephemeral"}
    return block
