"""Requests: what is sent, with each capability of the server on and off."""

import json
import subprocess
import sys

import pytest
from claude_asking import KEY, claude_at, events_of, request
from claude_server import Received, replies, serving

from forge_lsp.ports.model import Message, ModelRequest

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


async def sent(asked: ModelRequest, **settings: object) -> Received:
    async with serving(replies("x")) as server, claude_at(server.url, **settings) as model:
        await events_of(model, asked)
    return server.requests[0]


async def test_what_changes_least_comes_first_and_is_cached():
    asked = request("Do it", system="Rules", context="Files")
    body = (await sent(asked)).body
    cached = {"type": "ephemeral"}
    assert body["system"] == [{"type": "text", "text": "Rules", "cache_control": cached}]
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Files", "cache_control": cached},
                {"type": "text", "text": "Do it"},
            ],
        }
    ]
    assert body["stream"] is True


async def test_without_prompt_caching_nothing_speaks_of_it():
    body = (await sent(request(context="Files"), prompt_caching=False)).body
    assert "cache_control" not in json.dumps(body)


async def test_turns_alternate_whatever_the_conversation():
    turns = [
        Message("assistant", "An orphan"),
        Message("user", "One"),
        Message("user", "Two"),
        Message("assistant", " "),
        Message("assistant", "Three"),
        Message("user", "Four"),
    ]
    body = (await sent(request(messages=turns))).body
    texts = [
        (turn["role"], [block["text"] for block in turn["content"]]) for turn in body["messages"]
    ]
    assert texts == [("user", ["One", "Two"]), ("assistant", ["Three"]), ("user", ["Four"])]


async def test_an_empty_system_and_context_are_left_out():
    body = (await sent(request("Do it", system="", context="  "))).body
    assert "system" not in body
    assert len(body["messages"][0]["content"]) == 1


async def test_each_purpose_has_its_model():
    assert (await sent(request(), code="big")).body["model"] == "big"
    assert (await sent(request(purpose="select"), select="small")).body["model"] == "small"


async def test_a_schema_is_sent_as_the_output_s_format():
    body = (await sent(request(purpose="select", schema=SCHEMA))).body
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}


async def test_without_structured_output_the_schema_is_put_into_words():
    asked = request(purpose="select", system="Rules", schema=SCHEMA)
    body = (await sent(asked, structured_output=False)).body
    assert "output_config" not in body
    assert body["system"][0]["text"].startswith("Rules\n\n")
    assert json.dumps(SCHEMA) in body["system"][0]["text"]


async def test_effort_is_asked_of_the_model_that_writes_code_alone():
    assert (await sent(request(), effort="low")).body["output_config"] == {"effort": "low"}
    assert "output_config" not in (await sent(request(purpose="select"), effort="low")).body
    assert "output_config" not in (await sent(request())).body


async def test_the_key_and_the_limit_are_sent():
    received = await sent(request(), max_output_tokens=1234)
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body["max_tokens"] == 1234
    assert received.path == "/v1/messages"


async def test_a_local_server_without_a_key_is_not_sent_one_found_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-from-the-environment")
    received = await sent(request(), api_key=None)
    assert "sk-from" not in json.dumps(dict(received.headers))


async def test_proxies_of_the_environment_do_not_stand_before_loopback(
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await sent(request("Through"))).body["messages"][0]["content"][0]["text"] == "Through"


async def test_proxies_of_the_environment_are_honoured_for_other_servers(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(replies("x")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with claude_at("http://model.invalid") as model:
            await events_of(model)
    assert proxy.requests[0].path == "http://model.invalid/v1/messages"


def test_the_sdk_is_not_imported_before_a_model_is_opened():
    program = (
        "import sys, forge_lsp.claude.opening; "
        "print([name for name in ('anthropic', 'httpx2') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_loopback_is_known_by_any_of_its_names(host: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with (
        serving(replies("x")) as server,
        claude_at(server.url.replace("127.0.0.1", host)) as model,
    ):
        assert await events_of(model)
