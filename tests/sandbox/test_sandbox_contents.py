"""Copying a workspace into a sandbox: in batches, bounded, and nothing in silence."""

from collections.abc import Mapping

from memory_sandbox import TEMPLATE, MemorySandbox
from project_files import Contents

from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox import contents as copying
from forge_lsp.sandbox.contents import BATCH_FILES, MAX_FILE_BYTES, MAX_FILES, copy_all, lay_over


class Put:
    """Remembers the batches; refuses what is named `refused`."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.held: dict[ProjectPath, bytes | None] = {}

    async def __call__(
        self, batch: Mapping[ProjectPath, bytes | None]
    ) -> Mapping[ProjectPath, str]:
        self.batches.append(len(batch))
        self.held |= batch
        return {path: "it is refused." for path in batch if path.name == "refused"}


async def test_ten_thousand_files_go_in_batches() -> None:
    files = {f"src/{number}.ts": b"export {};\n" for number in range(10_000)}
    put, stages = Put(), list[str]()
    await copy_all(Contents(files), put, stages.append)
    assert put.batches == [BATCH_FILES] * (10_000 // BATCH_FILES)
    assert len(put.held) == 10_000
    assert stages[-1] == "Copying files into the sandbox (10000 of 10000)..."


async def test_a_batch_holds_no_more_bytes_than_it_may() -> None:
    files = {f"{number}.bin": b"x" * 5_000_000 for number in range(7)}
    put = Put()
    await copy_all(Contents(files), put, print)
    assert put.batches == [4, 3]
    assert copying.BATCH_BYTES == 16 * 1024 * 1024


async def test_what_is_left_out_is_said() -> None:
    files = {"big": b"x" * (MAX_FILE_BYTES + 1), "refused": b"", "small": b"x" * MAX_FILE_BYTES}
    put, stages = Put(), list[str]()
    await copy_all(Contents(files), put, stages.append)
    assert set(put.held) == {"refused", "small"}
    assert any(stage.startswith("big is not copied") for stage in stages)
    assert "refused was not copied into the sandbox: it is refused." in stages


async def test_more_files_than_a_sandbox_takes_are_counted() -> None:
    files = {f"{number}": b"" for number in range(MAX_FILES + 1)}
    put, stages = Put(), list[str]()
    await copy_all(Contents(files), put, stages.append)
    assert len(put.held) == MAX_FILES
    assert (
        stages[0]
        == f"Only the first {MAX_FILES} of {MAX_FILES + 1} files are copied into the sandbox."
    )


async def test_an_empty_workspace_changes_nothing() -> None:
    put, stages = Put(), list[str]()
    await copy_all(Contents({}), put, stages.append)
    assert (put.batches, stages) == ([], [])


async def test_a_whole_app_replaces_the_template_and_gets_its_packages() -> None:
    sandbox = MemorySandbox(1)
    app = {
        "package.json": b'{"dependencies": {"react": "19", "missing-one": "1"}}',
        "src/main.jsx": b"//\n",
    }
    stages: list[str] = []
    await lay_over(sandbox, TEMPLATE, Contents(app), stages.append)
    assert sandbox.contents == app
    assert sandbox.installed == ["react@19", "missing-one@1"]
    assert "missing-one was not installed: no such package" in stages


async def test_files_without_a_package_json_stand_beside_the_template() -> None:
    sandbox = MemorySandbox(1)
    await lay_over(sandbox, TEMPLATE, Contents({"src/App.tsx": b"//\n"}), print)
    assert sandbox.contents == {**{str(p): c for p, c in TEMPLATE.items()}, "src/App.tsx": b"//\n"}
    assert sandbox.installed == []
