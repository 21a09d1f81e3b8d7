"""An editor that never answers."""

import pytest
from lsprotocol import types

from forge_lsp.lsp import client
from forge_lsp.lsp.connection import ForgeServer

HELIX_GIVES_UP_S = 20.0
EGLOT_GIVES_UP_S = 10.0


class Nowhere:
    """What is written goes unheard."""

    def write(self, data: bytes) -> None:
        del data

    def close(self) -> None:
        pass


async def test_nothing_that_an_editor_is_asked_is_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert client.ANSWER_TIMEOUT_S <= EGLOT_GIVES_UP_S < HELIX_GIVES_UP_S
    monkeypatch.setattr(client, "ANSWER_TIMEOUT_S", 0.02)
    monkeypatch.setattr(client, "PERSON_TIMEOUT_S", 0.02)
    server = ForgeServer()
    server.protocol.set_writer(Nowhere())
    editor = client.Client(server)
    assert not await editor.show_document("file:///a", external=True)
    assert await editor.apply_edit("Forge", types.WorkspaceEdit()) == ""
    assert await editor.choose("Forge: which?", ["a", "b"]) is None
    assert await editor.configuration(None) == {}
    assert not await editor.create_progress("token")
    await editor.refresh_lenses()
    await editor.watch_files("**/*")
