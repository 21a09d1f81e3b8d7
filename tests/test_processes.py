import os
import subprocess
from pathlib import Path

import pytest

from forge_lsp.processes import is_alive, this_process


def test_this_process_is_alive() -> None:
    assert this_process().startswith(f"{os.getpid()}:")
    assert is_alive(this_process())


@pytest.mark.parametrize(
    "owner",
    [
        "",
        "1",
        ":",
        "1:",
        "x:1",
        "-1:5",
        pytest.param(f"{os.getpid()}:1", id="mine, of another time"),
        "²:1",
    ],
)
def test_anything_that_names_no_living_process_is_dead(owner: str) -> None:
    assert not is_alive(owner)


def test_a_process_that_has_ended_is_dead() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        owner = f"{process.pid}:{stat.rpartition(')')[2].split()[19]}"
        assert is_alive(owner)
        process.kill()
    assert not is_alive(owner)
