"""An editor that never answers, or too late."""

import json
from typing import Any

import pytest
from lsprotocol import types

from forge_lsp.lsp import client
from forge_lsp.lsp.connection import ForgeServer

EGLOT_GIVES_UP_S = 10.0
"""And Helix after twice that."""


class Sent:
    """Keeps what is written, and answers nothing."""

    def __init__(self) -> None:
        self.bytes = b""

    def write(self, data: bytes) -> None:
        self.bytes += data

    def close(self) -> None:
        pass


async def test_nothing_that_an_editor_is_asked_is_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert client.NUDGE_AFTER_S < client.ANSWER_TIMEOUT_S <= EGLOT_GIVES_UP_S
    monkeypatch.setattr(client, "NUDGE_AFTER_S", 0.01)
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 0.05)
    monkeypatch.setattr(client, "PERSON_TIMEOUT_S", 0.05)
    server, sent = ForgeServer(), Sent()
    server.protocol.set_writer(sent)
    editor = client.Client(server)
    assert not await editor.show_document("file:///a", external=True)
    asked = json.loads(sent.bytes.splitlines()[-1].partition(b"Content-Length")[0])
    assert asked["method"] == "window/logMessage", "what is stuck in an editor is nudged"
    assert await editor.apply_edit("Forge", types.WorkspaceEdit()) == ""
    assert await editor.choose("Forge: which?", ["a", "b"]) is None
    assert await editor.configuration(None) == {}
    assert not await editor.create_progress("token")
    await editor.refresh_lenses()
    await editor.watch_files("**/*")
    late = [
        line.partition(b"Content-Length")[0] for line in sent.bytes.splitlines() if b'"id"' in line
    ]
    assert len(late) == 7
    for request in late:
        answer: Any = {"jsonrpc": "2.0", "id": json.loads(request)["id"], "result": None}
        server.protocol.handle_message(answer)
