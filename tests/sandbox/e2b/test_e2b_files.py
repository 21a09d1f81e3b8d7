"""Files in a cloud sandbox, beside what the contract says of them."""

import asyncio
import os
from pathlib import Path

import pytest
from e2b_double import E2bDouble
from sandbox_contract import APP, ODD_NAMES, until

from forge_lsp.errors import NotFound, PathRefused, SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.e2b import files
from forge_lsp.sandbox.e2b.instance import E2bSandbox


async def test_what_is_no_source_is_not_listed(sandbox: E2bSandbox, double: E2bDouble) -> None:
    app = double.one().machine.home / "app"
    for name in (".git/HEAD", "dist/index.js", "src/node_modules/x/index.js", ".env", "a:b.ts"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text("x")
    (app / "src/link.ts").symlink_to("/etc/passwd")
    (app / os.fsdecode(b"src/\xff.ts")).write_text("x")
    os.mkfifo(app / "src/pipe.ts")
    assert await sandbox.files() == ["index.html", "package.json", "src/App.tsx"]


async def test_a_link_or_a_pipe_is_no_file(sandbox: E2bSandbox, double: E2bDouble) -> None:
    app = double.one().machine.home / "app"
    (app / "src/link.ts").symlink_to("App.tsx")
    os.mkfifo(app / "src/pipe.ts")
    for name in ("src/link.ts", "src/pipe.ts"):
        with pytest.raises(NotFound):
            await sandbox.read(ProjectPath.parse(name))
        await sandbox.write(ProjectPath.parse(name), b"file")
        assert await sandbox.read(ProjectPath.parse(name)) == b"file"
    assert await sandbox.read(APP) == b"export default 1;\n"


async def test_a_file_too_large_is_refused(
    sandbox: E2bSandbox, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    (double.one().machine.home / "app/big.bin").write_bytes(b"x" * 1001)
    with pytest.raises(SandboxFailed, match=r"big\.bin holds more than 1000 bytes"):
        await sandbox.read(ProjectPath.parse("big.bin"))


async def test_too_many_files_are_told(
    sandbox: E2bSandbox, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 3)
    for number in range(3):
        (double.one().machine.home / f"app/{number}.txt").write_text("x")
    with pytest.raises(SandboxFailed, match="more than 3 files"):
        await sandbox.files()


async def test_many_files_come_in_one_go(sandbox: E2bSandbox, double: E2bDouble) -> None:
    contents: dict[ProjectPath, bytes | None] = {
        ProjectPath.parse(f"many/{number % 100}/{number}.txt"): b"x" for number in range(10_000)
    }
    contents |= {ProjectPath.parse(name): name.encode() for name in ODD_NAMES}
    contents[APP] = None
    before = len(double.faults.asked)
    assert await sandbox.put(contents) == {}
    assert len(double.faults.asked) - before == 2
    home = double.one().machine.home
    assert len([each for each in (home / "app/many").rglob("*") if each.is_file()]) == 10_000
    assert not (home / "app/src/App.tsx").exists()
    assert not (home / "app/pwned").exists()
    assert sorted(each.name for each in (home / ".forge-lsp").iterdir()) == sorted(
        ["allowed-hosts", "dev-server.log", "dev-server.sh", "lock", "project.mjs", "put.mjs"]
    )


async def test_very_many_bytes_come_in_several_goes(
    sandbox: E2bSandbox, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BATCH_BYTES", 1000)
    contents = {ProjectPath.parse(f"{size}.bin"): bytes(size) for size in (600, 400, 1, 5000, 2)}
    assert await sandbox.put(contents) == {}
    assert double.faults.count("POST /files") == 4
    for path, content in contents.items():
        assert await sandbox.read(path) == content


async def test_a_file_above_another_of_the_same_lot_is_refused(sandbox: E2bSandbox) -> None:
    above, below = ProjectPath.parse("a"), ProjectPath.parse("a/b/c.ts")
    refused = await sandbox.put({above: b"1", below: b"2"})
    assert list(refused) == [above]
    assert await sandbox.read(below) == b"2"


async def test_a_link_is_replaced_and_never_followed(
    sandbox: E2bSandbox, double: E2bDouble, tmp_path: Path
) -> None:
    app = double.one().machine.home / "app"
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (app / "link.ts").symlink_to(outside)
    (app / "gone.ts").symlink_to(outside)
    link, gone = ProjectPath.parse("link.ts"), ProjectPath.parse("gone.ts")
    assert await sandbox.put({link: b"file", gone: None}) == {}
    assert outside.read_text() == "mine"
    assert (app / "link.ts").read_text() == "file"
    assert not (app / "gone.ts").is_symlink()


async def test_a_sandbox_that_lies_about_what_it_put_names_only_what_was_asked(
    sandbox: E2bSandbox, double: E2bDouble
) -> None:
    program = double.one().machine.home / ".forge-lsp/put.mjs"
    program.write_text(
        "process.stdout.write('src/App.tsx\\0' + 'X'.repeat(9999) + '\\0/etc\\0E\\0odd')"
    )
    refused = await sandbox.put({APP: b"x"})
    assert list(refused) == [APP]
    assert len(refused[APP]) < 100
    program.write_text("console.error('\\x1b[31m' + 'y'.repeat(9999)); process.exit(2)")
    with pytest.raises(SandboxFailed, match="can't be put in place") as caught:
        await sandbox.put({APP: b"x"})
    assert len(caught.value.message) < 400
    assert "\x1b" not in caught.value.message


async def test_nobody_sees_half_a_file(sandbox: E2bSandbox, double: E2bDouble) -> None:
    """Whoever reads beside a writer gets the old or the new, whole."""
    place = double.one().machine.home / "app/src/App.tsx"
    versions = [bytes([number]) * 3_000_000 for number in range(4)]
    place.write_bytes(versions[0])

    async def write() -> None:
        for version in versions:
            await sandbox.write(APP, version)

    writing = asyncio.create_task(write())
    seen: set[bytes] = set()
    while not writing.done():
        seen.add(await asyncio.to_thread(place.read_bytes))
    await writing
    assert seen <= set(versions)


async def test_a_write_leaves_no_draft(sandbox: E2bSandbox, double: E2bDouble) -> None:
    own = double.one().machine.home / ".forge-lsp"
    before = set(own.iterdir())
    await sandbox.write(APP, b"x")
    with pytest.raises(PathRefused):
        await sandbox.write(ProjectPath.parse("src"), b"x")

    async def is_clean() -> bool:
        return set(own.iterdir()) == before

    await until(is_clean)
