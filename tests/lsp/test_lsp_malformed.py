"""Whatever comes in is answered, once, without a traceback, and the server goes on."""

import json
from typing import Any

from lsp_wire import Editor


def error_of(message: dict[str, Any]) -> dict[str, Any]:
    assert "Traceback" not in json.dumps(message)
    assert "site-packages" not in json.dumps(message)
    return message["error"]


MALFORMED: list[tuple[dict[str, Any], int]] = [
    ({"method": "workspace/executeCommand", "params": {"arguments": []}}, -32602),
    ({"method": "workspace/executeCommand", "params": None}, -32602),
    ({"method": "workspace/executeCommand"}, -32602),
    ({"method": "textDocument/codeAction", "params": {"textDocument": {}}}, -32602),
    ({"method": "textDocument/codeAction", "params": []}, -32602),
    ({"method": "no/such/method"}, -32601),
    ({"method": "no/such/method", "params": {"a": 1}}, -32601),
    ({"method": "initialize", "params": {"capabilities": {}}}, -32600),
    ({}, -32600),
]


async def test_a_malformed_request_is_answered_with_an_error(client: Editor) -> None:
    await client.initialize()
    for number, (message, code) in enumerate(MALFORMED):
        request = f"malformed-{number}"
        client.send({"id": request, **message})
        answer = await client.answer_to(request)
        assert error_of(answer)["code"] == code, message
    assert client.messages() == []
    assert await client.leave() == 0


NONSENSE = [
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"[" * 100_000,
    b'{"jsonrpc":"1.0","id":1,"method":"shutdown"}',
    b'{"jsonrpc":"2.0","id":{},"method":"initialize"}',
    b'{"jsonrpc":"2.0","method":{},"params":{}}',
    b'{"jsonrpc":"2.0","id":"odd","method":["shutdown"]}',
    b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":7}}',
    (
        b'{"jsonrpc":"2.0","method":"textDocument/didChange","params":'
        b'{"textDocument":{"uri":"file:///never/opened","version":1},"contentChanges":'
        b'[{"text":"x"}]}}'
    ),
    b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"unknown"}}',
    b'{"jsonrpc":"2.0","method":"$/cancelRequest"}',
    b'{"jsonrpc":"2.0","id":"unasked","result":{}}',
    b'{"jsonrpc":"2.0","id":"unasked","error":7}',
    b'{"jsonrpc":"2.0","result":{}}',
]


async def test_what_makes_no_sense_harms_nothing(client: Editor) -> None:
    await client.initialize()
    for body in NONSENSE:
        client.raw(body)
        assert (await client.command("forge.runs"))["result"] == [], body
    for message in client.received:
        assert "Traceback" not in json.dumps(message)
    assert client.messages() == []
    assert await client.leave() == 0


async def test_before_initialize_nothing_is_done(client: Editor) -> None:
    answer = await client.command("forge.runs")
    assert error_of(answer)["code"] == -32002
    client.notify("textDocument/didOpen", {"textDocument": {}})
    await client.initialize()
    assert await client.leave() == 0


async def test_an_argument_may_hold_a_key_named_jsonrpc(client: Editor) -> None:
    await client.initialize()
    answer = await client.command("forge.runs", {"jsonrpc": "2.0", "id": 1, "method": "shutdown"})
    assert "forge.runs can't be given that" in error_of(answer)["message"]
    assert (await client.command("forge.runs"))["result"] == []


WRONG: list[tuple[str, list[Any], str]] = [
    ("forge.generate", [], 'Give it as {"prompt":'),
    ("forge.generate", [{"prompt": "  "}], "Prompt is required"),
    ("forge.generate", [{"prompt": 7}], "Expected `str`, got `int`"),
    ("forge.generate", [{"promt": "x"}], "unknown field `promt`"),
    ("forge.generate", ["add a button"], 'It takes one object like {"prompt":'),
    ("forge.generate", [{"prompt": "x"}, {}], "2 arguments came"),
    ("forge.generate", [{"prompt": "x", "range": {"start": {}}}], "missing required field"),
    ("forge.edit", [None], "Prompt is required"),
    ("forge.apply", [{}], "Files are required"),
    ("forge.apply", [{"files": {"../x": ""}}], "leaves the project"),
    ("forge.apply", [{"files": {".env": ""}}], "is protected"),
    ("forge.apply", [{"files": {"a": "", "b": 7}}], "can't be given that"),
    ("forge.apply", [{"files": {"a": ""}, "target": "moon"}], "Invalid enum value"),
    ("forge.review.accept", [{"hunk": "x"}], "Expected `int | null`"),
    ("forge.review.accept", [], "Nothing waits for review"),
    ("forge.review.diff", [], "Nothing waits for review"),
    ("forge.undo", [], "There is nothing to undo"),
    ("forge.cancel", [{"runId": "run_0"}], "There is no run run_0"),
    ("forge.sandbox.status", [], "Create one with forge.sandbox.create"),
    ("forge.sandbox.create", [{"provider": "moon"}], "Invalid enum value"),
    ("forge.packages.install", [], "Packages are required"),
    ("forge.none", [], "There is no command 'forge.none'"),
]


async def test_wrong_arguments_are_told_to_the_person_and_the_caller(client: Editor) -> None:
    await client.initialize()
    for command, arguments, told in WRONG:
        answer = await client.command(command, *arguments)
        assert told in error_of(answer)["message"]
        assert client.messages()[-1] == error_of(answer)["message"]
    assert len(client.messages()) == len(WRONG)


async def test_an_editor_may_send_null_for_no_arguments(client: Editor) -> None:
    await client.initialize()
    answer = await client.ask("workspace/executeCommand", {"command": "forge.runs"})
    assert answer["result"] == []
