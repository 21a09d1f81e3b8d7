"""`forge-lsp e2b build-template`."""

from pathlib import Path

from cli_running import run


def test_without_a_key_it_says_where_to_get_one(tmp_path: Path) -> None:
    ended = run(tmp_path, "e2b", "build-template", more={"E2B_API_KEY": ""})
    assert ended.returncode == 1
    assert "E2B_API_KEY" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_server_that_is_not_there_is_told_without_the_key(tmp_path: Path) -> None:
    key = f"e2b_{'0' * 40}"
    more = {"E2B_API_KEY": key, "E2B_API_URL": "http://127.0.0.1:9"}
    ended = run(tmp_path, "e2b", "build-template", more=more)
    assert ended.returncode == 1
    assert "template" in ended.stderr
    assert key not in ended.stderr + ended.stdout
