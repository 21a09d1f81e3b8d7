"""Summaries of conversations: who is asked for them, where they stand, and the demo model's."""

import pytest
from claude_asking import claude_at, end_of, events_of, request, text_of, the_demo
from claude_server import replies, serving

from forge_lsp.generation.summaries import SUMMARY_SYSTEM, summary_message, summary_prompt
from forge_lsp.ports.model import Message, ModelRequest

TALK = [Message("user", "Create a counter"), Message("assistant", "Here it is.")]


def asked(so_far: str = "") -> ModelRequest:
    prompt = Message("user", summary_prompt(so_far, TALK))
    return ModelRequest("summarise", SUMMARY_SYSTEM, "", [prompt])


@pytest.mark.parametrize(
    ("settings", "model"),
    [({"select": "small"}, "small"), ({"select": "small", "summarise": "brief"}, "brief")],
)
async def test_the_small_model_sums_up_unless_another_is_named(
    settings: dict[str, str], model: str
) -> None:
    async with (
        serving(replies("x")) as server,
        claude_at(server.url, effort="high", **settings) as claude,
    ):
        await events_of(claude, asked())
    assert server.requests[0].body["model"] == model
    assert "output_config" not in server.requests[0].body


async def test_a_summary_changes_nothing_of_what_is_cached() -> None:
    sent: list[list[dict[str, object]]] = []
    for summary in ("One thing was said.", "Two things were said."):
        messages = [summary_message(summary), *TALK, Message("user", "Go on")]
        async with serving(replies("x")) as server, claude_at(server.url) as claude:
            await events_of(claude, request(context="Files", messages=messages))
        sent.append(server.requests[0].body["messages"])
    first, second = (turns[0]["content"] for turns in sent)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert (
        first[0]
        == second[0]
        == {
            "type": "text",
            "text": "Files",
            "cache_control": {"type": "ephemeral"},
        }
    )
    assert "One thing was said." in first[1]["text"]
    assert [turn["role"] for turn in sent[0]] == ["user", "assistant", "user"]


async def test_the_demo_model_lists_what_was_asked_for() -> None:
    async with the_demo() as model:
        first = await events_of(model, asked())
        assert end_of(first).stop == "end"
        assert text_of(first) == "The developer asked for:\n- Create a counter\n"
        again = text_of(await events_of(model, asked(text_of(first))))
    assert again.splitlines()[1:] == ["- Create a counter"] * 2
