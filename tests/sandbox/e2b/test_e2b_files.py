"""Files in a cloud sandbox, beside what the contract says of them."""

import asyncio
import os

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
    contents = {ProjectPath.parse(name): name.encode() for name in ODD_NAMES}
    contents[APP] = b"new"
    before = len(double.faults.asked)
    await sandbox.write_all(contents)
    assert len(double.faults.asked) - before == 2
    for path, content in contents.items():
        assert await sandbox.read(path) == content
    assert not (double.one().machine.home / "app/pwned").exists()
    assert [each.name for each in (double.one().machine.home / ".forge-lsp").iterdir()].count(
        "unpack.sh"
    )
    assert not list((double.one().machine.home / ".forge-lsp").glob("*.tar"))


async def test_of_many_files_the_one_that_is_in_a_folders_place_is_named(
    sandbox: E2bSandbox,
) -> None:
    good = ProjectPath.parse("zz.ts")
    with pytest.raises(PathRefused, match=r"src/App\.tsx/x\.ts"):
        await sandbox.write_all(
            {ProjectPath.parse("src/App.tsx/x.ts"): b"", good: b"good", ProjectPath.parse("a"): b""}
        )
    assert await sandbox.read(good) == b"good"


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
