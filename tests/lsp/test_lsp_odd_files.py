"""Files that are not as files should be, between a proposal and its accept and undo."""

from pathlib import Path

import pytest
from lsp_review import propose
from lsp_wire import Editor

EVENTS = {"events": True}
SIX = "".join(f"line {number}\n" for number in range(1, 7))
WANTED = SIX.replace("line 2\n", "TWO\n")


async def test_a_file_that_was_deleted_meanwhile_stays_so_and_is_named(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    await propose(client, {"a.txt": WANTED})
    (workspace / "a.txt").unlink()
    last = await client.run("forge.review.accept")
    assert last["outcome"] == "failed"
    assert "a.txt: it was deleted since" in last["message"]
    assert not (workspace / "a.txt").exists()
    assert (await client.run("forge.review.reject"))["outcome"] == "completed"
    assert not (workspace / "a.txt").exists()


async def test_a_file_that_was_rewritten_meanwhile_is_left_alone(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    await propose(client, {"a.txt": WANTED})
    (workspace / "a.txt").write_text("something else\n")
    last = await client.run("forge.review.accept")
    assert (last["outcome"], last["code"]) == ("failed", "changed_since")
    assert "a.txt" in last["message"]
    assert (workspace / "a.txt").read_text() == "something else\n"


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize(
    ("original", "wanted"),
    [
        (b"a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
        (b"a\nb\nc", "a\nB\nc"),
        (b"a\r\nb\nc\r\n", "a\r\nB\nc\r\n"),
        (b"a\nb\nc", "a\nB\nc\n"),
        (b"", "new\n"),
        (b"a\n", ""),
    ],
    ids=["CR LF", "no final newline", "mixed", "a final newline comes", "empty", "emptied"],
)
async def test_accept_and_undo_keep_every_byte(
    client: Editor, workspace: Path, original: bytes, wanted: str, is_open: bool
) -> None:
    await client.initialize(options=EVENTS)
    place = workspace / "a.txt"
    place.write_bytes(original)
    uri = client.open("a.txt") if is_open else None

    def content() -> bytes:
        return place.read_bytes() if uri is None else client.documents[uri].encode()

    await propose(client, {"a.txt": wanted})
    assert (await client.run("forge.review.accept"))["outcome"] == "completed"
    assert content() == wanted.encode()
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert content() == original


async def test_a_mark_stays_where_the_editor_keeps_it_to_itself(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_bytes(b"\xef\xbb\xbf" + SIX.encode())
    uri = client.open("a.txt", SIX)
    await propose(client, {"a.txt": WANTED})
    client.type(uri, SIX + "mine\n")
    assert (await client.run("forge.review.accept"))["outcome"] == "completed"
    assert client.documents[uri] == WANTED + "mine\n"
    client.type(uri, "more\n" + client.documents[uri])
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert client.documents[uri] == f"more\n{SIX}mine\n"


async def test_line_ends_that_the_editor_changed_are_kept_by_accept_and_undo(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    uri = client.open("a.txt")
    await propose(client, {"a.txt": WANTED})
    crlf = SIX.replace("\n", "\r\n")
    client.type(uri, crlf.replace("line 6", "mine"))
    assert (await client.run("forge.review.accept"))["outcome"] == "completed"
    assert client.documents[uri] == crlf.replace("line 6", "mine").replace("line 2", "TWO")
    client.type(uri, client.documents[uri].replace("\r\n", "\n"))
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert client.documents[uri] == SIX.replace("line 6", "mine")


@pytest.mark.parametrize(
    "original", ["wide\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n\x00\x00", b"caf\xe9\n"]
)
async def test_what_is_not_text_is_replaced_whole_and_comes_back_byte_for_byte(
    client: Editor, workspace: Path, original: bytes
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.bin").write_bytes(original)
    last = await client.run("forge.apply", {"files": {"a.bin": "text\n"}, "target": "workspace"})
    assert last["outcome"] == "completed", last
    assert (workspace / "a.bin").read_bytes() == b"text\n"
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert (workspace / "a.bin").read_bytes() == original


async def test_what_is_not_text_and_was_changed_meanwhile_is_never_merged(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.bin").write_bytes(b"\x00\n1\n2\n3\n")
    last = await client.run("forge.apply", {"files": {"a.bin": "1\n2\n3\n"}, "target": "workspace"})
    assert last["outcome"] == "completed", last
    (workspace / "a.bin").write_bytes(b"1\n2\nthree\x00\n")
    last = await client.run("forge.undo")
    assert (last["outcome"], last["code"]) == ("failed", "changed_since")
    assert "a.bin" in last["message"]
    assert (workspace / "a.bin").read_bytes() == b"1\n2\nthree\x00\n"


async def test_two_names_of_one_file_are_refused_both(client: Editor, workspace: Path) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    (workspace / "hard.txt").hardlink_to(workspace / "a.txt")
    (workspace / "soft.txt").symlink_to("a.txt")
    files: dict[str, str | None] = {"a.txt": "x\n", "hard.txt": WANTED, "fine.txt": "x\n"}
    last = await client.run("forge.apply", {"files": files, "target": "workspace"})
    assert last["outcome"] == "failed"
    assert "a.txt: it and hard.txt are one and the same file" in last["message"]
    assert "hard.txt: it and a.txt are one and the same file" in last["message"]
    assert (workspace / "a.txt").read_text() == SIX
    assert (workspace / "fine.txt").read_text() == "x\n"
    assert (await client.run("forge.review.reject"))["outcome"] == "completed"
    files = {"soft.txt": WANTED, "a.txt": SIX.replace("line 5\n", "FIVE\n")}
    last = await client.run("forge.apply", {"files": files, "target": "workspace"})
    assert last["outcome"] == "failed"
    assert (workspace / "a.txt").read_text() == SIX


async def test_a_link_inside_the_folder_is_written_through_and_stays_one(
    client: Editor, workspace: Path
) -> None:
    await client.initialize(options=EVENTS)
    (workspace / "a.txt").write_text(SIX)
    (workspace / "soft.txt").symlink_to("a.txt")
    await propose(client, {"soft.txt": WANTED})
    assert (await client.run("forge.review.accept"))["outcome"] == "completed"
    assert (workspace / "a.txt").read_text() == WANTED
    assert (await client.run("forge.undo"))["outcome"] == "completed"
    assert (workspace / "soft.txt").is_symlink()
    assert (workspace / "a.txt").read_text() == SIX


async def test_a_link_that_was_turned_outside_meanwhile_is_refused(
    client: Editor, workspace: Path, tmp_path: Path
) -> None:
    await client.initialize(options=EVENTS)
    (tmp_path / "outside.txt").write_text(SIX)
    (workspace / "a.txt").write_text(SIX)
    await propose(client, {"a.txt": WANTED})
    (workspace / "a.txt").unlink()
    (workspace / "a.txt").symlink_to(tmp_path / "outside.txt")
    last = await client.run("forge.review.accept")
    assert last["outcome"] == "failed"
    assert "symbolic link" in last["message"]
    assert (tmp_path / "outside.txt").read_text() == SIX
