"""The command line as a process of its own, in a home of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

TIMEOUT_S = 60.0
LOOK_S = 0.05

_OUTER = ("FORGE_", "ANTHROPIC_", "E2B_")


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would reach into the command from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OUTER)}
    # The width of the terminal decides where help is broken; a keyring is not ours to ask.
    fixed = {
        "FORGE_HOME": str(home),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    return kept | fixed | dict(more or {})


def command(*arguments: str) -> list[str]:
    """How the command line is started."""
    return [sys.executable, "-m", "forge_lsp", *arguments]


def run(
    home: Path,
    *arguments: str,
    more: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(home, more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def serving(
    home: Path, *arguments: str
) -> Generator[tuple["subprocess.Popen[str]", Mapping[str, Any]]]:
    """A command that runs until it is told to end, with the line that says it is ready."""
    process = subprocess.Popen(
        command(*arguments),
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, said = process.communicate(timeout=TIMEOUT_S)
            raise AssertionError(f"it did not start: {said}")
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=TIMEOUT_S)


def first_file(folder: Path, pattern: str) -> Path:
    """The first file that appears there."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if found := list(folder.glob(pattern)):
            return found[0]
        time.sleep(LOOK_S)
    raise AssertionError(f"no {pattern} appeared in {folder}")


def alive(processes: Sequence[psutil.Process]) -> Sequence[psutil.Process]:
    """Those that still run; a zombie has ended, and waits for whoever adopted it."""
    return [each for each in processes if each.is_running() and not _is_zombie(each)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
