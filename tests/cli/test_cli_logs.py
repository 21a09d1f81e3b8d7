"""What becomes of a log that can't be written."""

import subprocess
import sys
from pathlib import Path

LOGGING = """
import logging, sys
from pathlib import Path
from forge_lsp.cli.logs import start_logging
start_logging("info", Path(sys.argv[1]))
logging.getLogger("forge_lsp").info("one")
logging.getLogger("forge_lsp").info("two")
"""


def log_to(path: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", LOGGING, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stderr


def test_a_log_that_can_not_be_written_is_said_once_and_goes_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = log_to(tmp_path / "file" / "forge.log")
    assert told.count("can't be written") == 1
    assert str(tmp_path / "file") in told
    assert "one" in told
    assert "two" in told


def test_a_log_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    log_to(tmp_path / "deep" / "forge.log")
    lines = (tmp_path / "deep" / "forge.log").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two"]
