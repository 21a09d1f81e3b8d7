"""Failures: what is tried again, what isn't, and what people are told."""

import asyncio
import json
import os
import socket
from email.utils import formatdate
from pathlib import Path

import pytest
from claude_asking import KEY, claude_at, end_of, events_of, retries_of, text_of
from claude_server import (
    OPENING,
    Connection,
    Script,
    breaks_off,
    falls_silent,
    hangs_up,
    refuses,
    replies,
    responds,
    serving,
    streams,
)

from forge_lsp.claude import wire
from forge_lsp.errors import (
    ModelBusy,
    ModelFailed,
    ModelKeyRejected,
    ModelRequestRefused,
    ModelUnreachable,
)

OVERLOADED = wire.error("overloaded_error", "Overloaded")
UNNAMED = tuple(
    b"data: " + frame.split(b"data: ")[1] for frame in wire.text_reply(["lost"], model="m")
)


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(refuses(429, "rate_limit_error", "Slow down"), id="429"),
        pytest.param(refuses(529, "overloaded_error", "Overloaded"), id="529"),
        pytest.param(refuses(500, "api_error", "Internal"), id="500"),
        pytest.param(responds(502, b"<html>Bad gateway</html>"), id="a proxy's 502"),
        pytest.param(refuses(503, "api_error", "Unavailable"), id="503"),
        pytest.param(refuses(408, "timeout_error", "Timeout"), id="408"),
        pytest.param(streams(OVERLOADED), id="an error event at once"),
        pytest.param(streams(*OPENING, OVERLOADED), id="an error event before the text"),
        pytest.param(hangs_up, id="no answer"),
        pytest.param(breaks_off(*OPENING), id="dropped before the text"),
        pytest.param(streams(*OPENING), id="ended before the text"),
        pytest.param(streams(*UNNAMED), id="frames without an event name"),
        pytest.param(streams(b"event: message_start\ndata: {oops\n\n"), id="no JSON"),
        pytest.param(streams(b"event: message_start\ndata: \xff\n\n"), id="no UTF-8"),
        pytest.param(streams(b"event: x\ndata: " + b"[" * 200_000 + b"\n\n"), id="too deep"),
        pytest.param(responds(200, b"{}"), id="no stream"),
    ],
)
async def test_what_may_pass_is_tried_again_in_sight(failing: Script):
    async with serving(failing, replies("Hello")) as server, claude_at(server.url) as model:
        events = await events_of(model)
    [retry] = retries_of(events)
    assert (retry.attempt, retry.attempts) == (2, 3)
    assert retry.reason.endswith(".")
    assert text_of(events) == "Hello"
    assert end_of(events).stop == "end"


@pytest.mark.parametrize(
    ("failing", "kind"),
    [
        (refuses(429, "rate_limit_error", "Slow down"), ModelBusy),
        (refuses(529, "overloaded_error", "Overloaded"), ModelBusy),
        (refuses(500, "api_error", "Internal"), ModelBusy),
        (streams(OVERLOADED), ModelBusy),
        (hangs_up, ModelUnreachable),
        (streams(*UNNAMED), ModelUnreachable),
    ],
)
async def test_attempts_run_out(failing: Script, kind: type[ModelFailed]):
    scripts = (failing,) * 3
    async with serving(*scripts) as server, claude_at(server.url, attempts=3) as model:
        with pytest.raises(kind) as raised:
            await events_of(model)
    assert len(server.requests) == 3
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("failing", "kind", "says"),
    [
        (refuses(401, "authentication_error", "invalid key"), ModelKeyRejected, "API key"),
        (refuses(403, "permission_error", "no"), ModelKeyRejected, "may not use claude-opus"),
        (refuses(404, "not_found_error", "model: x"), ModelRequestRefused, "claude-opus-5-5"),
        (responds(404, b"not here"), ModelRequestRefused, "Messages API"),
        (refuses(413, "request_too_large", "Too big"), ModelRequestRefused, "too large"),
        (
            refuses(400, "invalid_request_error", "prompt is too long: 3 tokens > 2 maximum"),
            ModelRequestRefused,
            "too large",
        ),
        (
            refuses(400, "invalid_request_error", "temperature: not supported"),
            ModelRequestRefused,
            "temperature: not supported",
        ),
        (
            streams(wire.error("invalid_request_error", "odd")),
            ModelRequestRefused,
            "odd",
        ),
    ],
)
async def test_what_won_t_pass_is_said_at_once(failing: Script, kind: type[ModelFailed], says: str):
    async with serving(failing) as server, claude_at(server.url) as model:
        with pytest.raises(kind) as raised:
            await events_of(model)
    assert len(server.requests) == 1
    assert says in raised.value.message
    assert raised.value.remedy


@pytest.mark.parametrize("wait", ["3600", "1e999", formatdate(4e9, usegmt=True)])
async def test_a_long_retry_after_is_obeyed_no_longer_than_the_limit(wait: str):
    failing = refuses(429, "rate_limit_error", "Later", retry_after=wait)
    async with (
        serving(failing, replies("Hello")) as server,
        claude_at(server.url, max_retry_delay_s=0.02) as model,
    ):
        events = await events_of(model)
    assert [retry.delay_s for retry in retries_of(events)] == [0.02]
    assert text_of(events) == "Hello"


@pytest.mark.parametrize(
    ("headers", "delay_s"),
    [
        ({"retry_after": "0.015"}, 0.015),
        ({"retry_after": "9", "retry_after_ms": "5"}, 0.005),
        ({"retry_after": "Mon, 01 Jan 2001 00:00:00 GMT"}, 0.0),
    ],
)
async def test_a_short_retry_after_is_obeyed(headers: dict[str, str], delay_s: float):
    failing = refuses(529, "overloaded_error", "Later", **headers)
    async with (
        serving(failing, replies("Hello")) as server,
        claude_at(server.url, max_retry_delay_s=1) as model,
    ):
        events = await events_of(model)
    assert [retry.delay_s for retry in retries_of(events)] == [delay_s]


@pytest.mark.parametrize("wait", ["nan", "-1", "soon", ""])
async def test_without_a_usable_retry_after_the_delay_doubles_and_is_spread(wait: str):
    failing = refuses(529, "overloaded_error", "Later", retry_after=wait)
    async with (
        serving(failing, failing, replies("Hello")) as server,
        claude_at(server.url, max_retry_delay_s=0.02) as model,
    ):
        events = await events_of(model)
    delays = [retry.delay_s for retry in retries_of(events)]
    assert len(delays) == 2
    assert all(0.01 <= delay <= 0.02 for delay in delays)


@pytest.mark.parametrize(
    "failing",
    [
        breaks_off(*OPENING, wire.text_delta("Half")),
        streams(*OPENING, wire.text_delta("Half"), OVERLOADED),
        streams(*OPENING, wire.text_delta("Half"), b"event: message_delta\ndata: {\n\n"),
    ],
)
async def test_a_failure_after_text_cuts_the_reply_and_is_not_tried_again(failing: Script):
    async with serving(failing) as server, claude_at(server.url) as model:
        events = await events_of(model)
    assert text_of(events) == "Half"
    assert end_of(events).stop == "cut"
    assert end_of(events).detail.startswith("The model's server at 127.0.0.1")
    assert not retries_of(events)


async def test_silence_before_the_text_is_tried_again():
    async with (
        serving(falls_silent(*OPENING), replies("Hello")) as server,
        claude_at(server.url, idle_timeout_s=0.3) as model,
    ):
        events = await events_of(model)
        assert "silent" in retries_of(events)[0].reason
        await asyncio.wait_for(server.connections[0].client_has_gone.wait(), 5)
    assert text_of(events) == "Hello"


async def test_silence_in_the_middle_of_the_text_cuts_the_reply():
    stalling = falls_silent(*OPENING, wire.text_delta("Half"))
    async with serving(stalling) as server, claude_at(server.url, idle_timeout_s=0.1) as model:
        events = await events_of(model)
    assert (text_of(events), end_of(events).stop) == ("Half", "cut")


async def test_pings_keep_a_silent_reply_for_a_while_but_not_for_ever():
    async def only_pings(connection: Connection):
        await breaks_off(*OPENING, wire.text_delta("Half"))(connection)
        while True:
            await connection.chunk(wire.ping())
            await asyncio.sleep(0.02)

    async with (
        serving(only_pings) as server,
        claude_at(server.url, idle_timeout_s=0.5, ping_timeout_s=1.0) as model,
    ):
        started = asyncio.get_running_loop().time()
        events = await events_of(model)
        lasted = asyncio.get_running_loop().time() - started
    assert end_of(events).stop == "cut"
    assert lasted >= 0.9


async def test_no_server_is_said_with_its_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    async with claude_at(url, attempts=2) as model:
        with pytest.raises(ModelUnreachable) as raised:
            await events_of(model)
    assert url.removeprefix("http://") in raised.value.message
    assert "ANTHROPIC_BASE_URL" in raised.value.remedy


async def test_a_server_that_repeats_the_key_does_not_get_it_into_a_message():
    echo = f"invalid x-api-key: {KEY}, or Bearer abcdef0123, or sk-ant-other-000000"
    async with (
        serving(refuses(401, "authentication_error", echo)) as server,
        claude_at(server.url) as model,
    ):
        with pytest.raises(ModelKeyRejected) as raised:
            await events_of(model)
    shown = raised.value.for_people() + repr(raised.value)
    for secret in (KEY, "abcdef0123", "sk-ant"):
        assert secret not in shown


async def test_a_password_in_the_base_url_is_not_shown():
    async with serving(refuses(400, "invalid_request_error", "no")) as server:
        url = server.url.replace("http://", "http://me:hunter2@")
        async with claude_at(url) as model:
            with pytest.raises(ModelRequestRefused) as raised:
                await events_of(model)
    assert "hunter2" not in raised.value.for_people()


async def test_what_a_server_says_is_cut_short_and_on_one_line():
    body = json.dumps({"error": {"type": "invalid_request_error", "message": "long\n" * 9999}})
    async with serving(responds(400, body.encode())) as server, claude_at(server.url) as model:
        with pytest.raises(ModelRequestRefused) as raised:
            await events_of(model)
    assert len(raised.value.message) < 500
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("error", ["text", 7, None, {"type": 3, "message": ["x"]}])
async def test_an_error_body_of_any_shape_is_explained(error: object):
    body = json.dumps({"error": error}).encode()
    async with serving(responds(400, body)) as server, claude_at(server.url) as model:
        with pytest.raises(ModelRequestRefused):
            await events_of(model)


@pytest.mark.parametrize("profile", [None, "missing"])
async def test_without_any_credentials_there_is_no_model(
    profile: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    if profile:
        monkeypatch.setenv("ANTHROPIC_PROFILE", profile)
    with pytest.raises(ModelKeyRejected) as raised:
        async with claude_at("https://model.invalid", api_key=None):
            pass
    assert "ANTHROPIC_API_KEY" in raised.value.remedy


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://host", "http://", "http://[::1", "x"])
async def test_a_base_url_that_is_none_is_said(url: str):
    with pytest.raises(ModelUnreachable) as raised:
        async with claude_at(url):
            pass
    assert "ANTHROPIC_BASE_URL" in raised.value.remedy
