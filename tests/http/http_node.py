"""Node, and what the tests take from npm: installed once, from a pinned lock, into the cache."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from forge_lsp.settings import Places

_LISTED = Path(__file__).parent / "node"
INSTALL_TIMEOUT_S = 110


def lacking(what: str) -> NoReturn:
    """Leave the test out and say why; where everything must be there, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def program(name: str) -> str:
    """The program on the PATH."""
    return shutil.which(name) or lacking(f"{name} is not on the PATH")


def node_modules() -> Path:
    """The folder with what `node/package-lock.json` lists, in a folder named by that list."""
    lock = (_LISTED / "package-lock.json").read_bytes()
    cache = Places.find().cache / "tests"
    folder = cache / f"http-node-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not folder.exists():
        aside = cache / f"{folder.name}.{os.getpid()}"
        shutil.copytree(_LISTED, aside)
        install = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            install, cwd=aside, capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        try:
            aside.rename(folder)
        except OSError:
            # Another test run was quicker.
            shutil.rmtree(aside)
    return folder / "node_modules"
