"""Change sets as virtual documents, for editors that draw diffs themselves."""

from pathlib import Path
from typing import Any

import pytest
from lsp_review import propose
from lsp_wire import VS_CODE, Editor

EVENTS = {"events": True}
SIX = "".join(f"line {number}\n" for number in range(1, 7))
AFTER = SIX.replace("line 2\n", "TWO\n").replace("line 5\n", "")


def with_content(**content: Any) -> dict[str, Any]:
    """An editor that asks for virtual documents."""
    return {**VS_CODE, "workspace": {**VS_CODE["workspace"], "textDocumentContent": content}}


DYNAMIC = with_content(dynamicRegistration=True)


def registered(client: Editor) -> list[dict[str, Any]]:
    """What the client was told of virtual documents, as options."""
    return [
        each["registerOptions"]
        for told in client.requests("client/registerCapability")
        for each in told["registrations"]
        if each["method"] == "workspace/textDocumentContent"
    ]


async def text_of(client: Editor, uri: str) -> str:
    answer = await client.ask("workspace/textDocumentContent", {"uri": uri})
    assert "result" in answer, answer
    return answer["result"]["text"]


async def test_a_client_that_can_be_told_later_is_told_of_the_scheme(client: Editor) -> None:
    ours = await client.initialize(DYNAMIC)
    assert "textDocumentContent" not in ours["workspace"]
    await client.wait(lambda _: registered(client))
    assert registered(client) == [{"schemes": ["forge"]}]


async def test_a_client_that_cant_is_told_at_once(client: Editor) -> None:
    ours = await client.initialize(with_content())
    assert ours["workspace"]["textDocumentContent"] == {"schemes": ["forge"]}
    await client.command("forge.runs")
    assert registered(client) == []


async def test_a_client_that_knows_nothing_of_it_is_told_nothing(client: Editor) -> None:
    ours = await client.initialize()
    assert "textDocumentContent" not in ours["workspace"]
    await client.command("forge.runs")
    assert registered(client) == []


async def test_the_diff_names_both_sides_of_each_file_and_they_can_be_read(
    client: Editor, workspace: Path
) -> None:
    client.answers["workspace/textDocumentContent/refresh"] = lambda params: None
    await client.initialize(DYNAMIC, options=EVENTS)
    (workspace / "src").mkdir()
    (workspace / "src/a ü.txt").write_text(SIX)
    (workspace / "gone.txt").write_text("gone\n")
    uri = client.open("src/a ü.txt")
    client.type(uri, f"mine\n{SIX}")
    client.type(uri, SIX)
    files: dict[str, str | None] = {"src/a ü.txt": AFTER, "new.txt": "new\n"}
    change = await propose(client, files)
    client.type(uri, f"mine\n{SIX}")
    answer = (await client.command("forge.review.diff"))["result"]
    assert answer["changeSetId"] == change
    assert answer["diff"]
    assert answer["uri"].endswith(f"/{change}.diff")
    assert client.requests("window/showDocument") == [], "it draws the diff itself"
    edited, new = answer["files"]
    assert len({hunk.pop("hunkId") for hunk in edited["hunks"]}) == 2
    assert edited == {
        "path": "src/a ü.txt",
        "uri": uri,
        "beforeUri": f"forge:/{change}/before/src/a%20%C3%BC.txt",
        "afterUri": f"forge:/{change}/after/src/a%20%C3%BC.txt",
        "hunks": [
            {
                "beforeStart": 1,
                "beforeCount": 1,
                "afterStart": 1,
                "afterCount": 1,
                "firstLine": 2,
                "lastLine": 2,
            },
            {
                "beforeStart": 4,
                "beforeCount": 1,
                "afterStart": 4,
                "afterCount": 0,
                "firstLine": 5,
                "lastLine": 5,
            },
        ],
    }
    assert new["uri"] == (workspace / "new.txt").as_uri()
    assert await text_of(client, edited["beforeUri"]) == SIX
    assert await text_of(client, edited["afterUri"]) == AFTER
    assert await text_of(client, new["beforeUri"]) == ""
    assert await text_of(client, new["afterUri"]) == "new\n"


async def test_other_clients_are_shown_the_patch_and_told_the_sides_too(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    change = await propose(client, {"new.txt": "new\n"})
    answer = (await client.command("forge.review.diff"))["result"]
    (shown,) = client.requests("window/showDocument")
    assert shown["uri"] == answer["uri"]
    assert answer["files"][0]["afterUri"] == f"forge:/{change}/after/new.txt"


async def test_what_was_read_is_refreshed_when_it_is_another(
    client: Editor, workspace: Path
) -> None:
    client.answers["workspace/textDocumentContent/refresh"] = lambda params: None
    await client.initialize(DYNAMIC, options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    client.open("a.txt")
    change = await propose(client, {"a.txt": AFTER, "b.txt": "b\n"})
    before, after = (f"forge:/{change}/{side}/a.txt" for side in ("before", "after"))
    other = f"forge:/{change}/after/b.txt"
    for uri in (before, after, other):
        await text_of(client, uri)
    rejected = await client.run("forge.review.reject", {"path": "a.txt", "hunk": 1})
    assert rejected["outcome"] == "completed"
    await client.wait(lambda m: m.get("method") == "workspace/textDocumentContent/refresh")
    assert client.requests("workspace/textDocumentContent/refresh") == [{"uri": after}]
    assert await text_of(client, after) == SIX.replace("line 2\n", "TWO\n")


async def test_what_was_decided_can_still_be_looked_at(client: Editor, workspace: Path) -> None:
    await client.initialize(DYNAMIC, options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    answer = await client.command("forge.apply", {"files": {"a.txt": AFTER}, "target": "workspace"})
    change = answer["result"]["runId"]
    await client.wait_for_end(change)
    assert await text_of(client, f"forge:/{change}/before/a.txt") == SIX
    assert await text_of(client, f"forge:/{change}/after/a.txt") == AFTER


@pytest.mark.parametrize(
    "uri",
    [
        "forge:/{id}/after/../../etc/passwd",
        "forge:/{id}/after/src/%2e%2e/%2e%2e/etc/passwd",
        "forge:/{id}/after/src%2Fa.txt",
        "forge:/{id}/after/src%5Ca.txt",
        "forge:/{id}/after//a.txt",
        "forge:/{id}/after/%00",
        "forge:/{id}/after/.env",
        "forge:/{id}/after/.git/config",
        "forge:/{id}/after/",
        "forge:/{id}/other/a.txt",
        "forge:/{id}/after/a.txt?x=1",
        "forge:/{id}/after/a.txt#x",
        "forge://host/{id}/after/a.txt",
        "forge:/..%2F{id}/after/a.txt",
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_hostile_uri_is_refused(client: Editor, workspace: Path, uri: str) -> None:
    await client.initialize(DYNAMIC, options=EVENTS)
    change = await propose(client, {"a.txt": "secret\n", "src/a.txt": "secret\n"})
    answer = await client.ask("workspace/textDocumentContent", {"uri": uri.format(id=change)})
    assert answer["error"]["code"] == -32602, answer
    assert "secret" not in str(answer)
    assert "root:" not in str(answer)


async def test_what_is_not_there_or_of_a_folder_that_is_not_open_is_not_found(
    client: Editor, workspace: Path, home: Path, tmp_path: Path
) -> None:
    from lsp_wire import editor

    await client.initialize(DYNAMIC, options=EVENTS)
    change = await propose(client, {"a.txt": "secret\n"})
    for uri in (f"forge:/{change}/after/b.txt", "forge:/run_unknown/after/a.txt"):
        answer = await client.ask("workspace/textDocumentContent", {"uri": uri})
        assert answer["error"]["code"] == -32803, answer
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with editor(elsewhere, home) as other:
        await other.initialize(DYNAMIC)
        uri = f"forge:/{change}/after/a.txt"
        answer = await other.ask("workspace/textDocumentContent", {"uri": uri})
        assert answer["error"]["code"] == -32803, answer
        assert "secret" not in str(answer)


async def test_what_is_not_text_is_named_and_not_shown(client: Editor, workspace: Path) -> None:
    await client.initialize(DYNAMIC, options=EVENTS)
    (workspace / "a.txt").write_bytes("wide\n".encode("utf-16"))
    honest = client.answers["workspace/applyEdit"]
    client.answers["workspace/applyEdit"] = lambda params: {"applied": False}
    client.open("a.txt", "wide\n")
    change = (await client.command("forge.apply", {"files": {"a.txt": "narrow\n"}}))["result"]
    await client.wait_for_end(change["runId"])
    client.answers["workspace/applyEdit"] = honest
    client.notify(
        "textDocument/didClose", {"textDocument": {"uri": (workspace / "a.txt").as_uri()}}
    )
    (workspace / "b.bin").write_bytes(b"\x00\x01")
    last = await client.run("forge.apply", {"files": {"b.bin": "text\n"}, "target": "workspace"})
    assert last["outcome"] == "completed", last
    assert (workspace / "b.bin").read_bytes() == b"text\n"
    listed = (await client.command("forge.history"))["result"]
    uri = f"forge:/{listed[0]['changeSetId']}/before/b.bin"
    answer = await client.ask("workspace/textDocumentContent", {"uri": uri})
    assert answer["error"]["code"] == -32602
    assert "b.bin isn't text" in answer["error"]["message"]
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert (workspace / "b.bin").read_bytes() == b"\x00\x01"
