"""The command line's manners: help, exit codes, the log."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_running import run

import forge_lsp


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "demo --once"),
        (["lsp"], "editors start this"),
        (["serve"], "curl"),
        (["token", "show"], "made on first use"),
        (["runs"], "--limit 5"),
        (["doctor"], "doctor --json"),
        (["demo"], "--prompt"),
    ],
)
def test_help_tells_what_a_command_does_and_shows_how(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    helped = run(tmp_path, *arguments, "--help")
    assert helped.returncode == 0
    assert says in " ".join(helped.stdout.split())


def test_the_version_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == f"forge-lsp {forge_lsp.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["runs", "--limit", "many"],
        ["runs", "--limit", "0"],
        ["lsp", "--tcp", "7998"],
        ["lsp", "--tcp", "127.0.0.1:99999"],
        ["lsp", "--stdio", "--tcp", "127.0.0.1:0"],
        ["serve", "--port", "70000"],
        ["--log-level", "loud", "runs"],
    ],
)
def test_wrong_usage_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_failure_is_one_message_and_ends_with_1(tmp_path: Path) -> None:
    ended = run(tmp_path, "runs", more={"FORGE_DATABASE_URL": "sqlite:////proc/none/forge.db"})
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("forge-lsp: ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    ended = run(tmp_path, "runs", more={"FORGE_HTTP_PORT": "-3"})
    assert ended.returncode == 1
    assert "forge.http.port" in ended.stderr


def test_runs_says_when_there_are_none(tmp_path: Path) -> None:
    listed = run(tmp_path, "runs")
    assert listed.returncode == 0
    assert "no runs yet" in listed.stdout


@pytest.mark.parametrize("transport", ["--tcp", "--ws"])
def test_the_language_server_listens_for_this_machine_only(tmp_path: Path, transport: str) -> None:
    ended = run(tmp_path, "lsp", transport, "0.0.0.0:0")
    assert ended.returncode == 1
    assert "127.0.0.1" in ended.stderr


@pytest.mark.parametrize("arguments", [["lsp"], ["lsp", "--stdio"]])
def test_the_way_to_the_language_server_imports_nothing_that_it_does_not_need(
    arguments: list[str],
) -> None:
    # What is imported here stands between the editor's start of the server and its answer.
    program = f"""
import sys
sys.argv[1:] = {arguments!r}
import forge_lsp.__main__
forge_lsp.__main__.main.__globals__["sys"].exit = lambda code: None
forge_lsp.__main__.main()
heavy = {{"typer", "rich", "pydantic", "sqlalchemy", "aiohttp", "anthropic"}}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr.splitlines()[-1] == "[]"
    assert ended.stdout == ""
