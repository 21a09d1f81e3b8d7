"""`forge-lsp token show`."""

import stat
from pathlib import Path

from cli_running import run


def test_it_is_made_once_and_stays_the_same(tmp_path: Path) -> None:
    first, second = run(tmp_path, "token", "show"), run(tmp_path, "token", "show")
    assert first.returncode == second.returncode == 0
    assert len(first.stdout.strip()) > 40
    assert first.stdout == second.stdout


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    run(tmp_path, "token", "show")
    assert stat.S_IMODE((tmp_path / "state" / "token").stat().st_mode) == 0o600


def test_the_environment_sets_it(tmp_path: Path) -> None:
    shown = run(tmp_path, "token", "show", more={"FORGE_TOKEN": "from the environment"})
    assert shown.stdout == "from the environment\n"
    assert not (tmp_path / "state" / "token").exists()
