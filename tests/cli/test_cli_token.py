"""`forge-lsp token`."""

import json
import stat
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cli_running import run, serving

STATUS = "/api/sandbox/status"
DAY_MS = 24 * 60 * 60 * 1000


def create(home: Path, *options: str) -> str:
    created = run(home, "token", "create", *options)
    assert created.returncode == 0, created.stderr
    return created.stdout.strip()


def listed(home: Path) -> list[dict[str, Any]]:
    told = run(home, "token", "list", "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def status_of(url: str, token: str, method: str = "GET", path: str = STATUS) -> int:
    connection = HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=60)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


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


def test_a_running_server_takes_a_new_token_at_once_and_a_revoked_one_no_more(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, "serve") as (_, line):
        token = create(tmp_path, "--name", "ci", "--scope", "read", "--scope", "sandbox")
        assert status_of(line["url"], token) == 404
        assert status_of(line["url"], token, "POST", "/api/generate/stream") == 403
        assert run(tmp_path, "token", "revoke", "ci").returncode == 0
        assert status_of(line["url"], token) == 401


def test_the_token_alone_is_on_stdout_and_is_kept_nowhere(tmp_path: Path) -> None:
    created = run(tmp_path, "token", "create", "--name", "ci")
    token = created.stdout.strip()
    assert created.stdout == f"{token}\n"
    secret = token.split("-", 2)[2]
    assert len(secret) > 40
    assert "can't be shown again" in created.stderr
    assert secret not in created.stderr + run(tmp_path, "token", "list").stdout
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]


def test_tokens_are_listed_with_what_they_may(tmp_path: Path) -> None:
    assert "no tokens beside the owner's" in run(tmp_path, "token", "list").stdout
    create(tmp_path, "--name", "ci", "--feature", "inline_code_edit", "--expires", "30d")
    create(tmp_path, "--name", "ana", "--plan", "pro", "--scope", "admin", "--expires", "never")
    create(tmp_path, "--name", "phone", "--account", "ana")
    run(tmp_path, "token", "revoke", "ana")
    ci, ana, phone = listed(tmp_path)
    assert [each["state"] for each in (ci, ana, phone)] == ["active", "revoked", "active"]
    assert (ci["plan"], ana["plan"], phone["plan"]) == ("free", "pro", "pro")
    assert ci["features"] == ana["features"] == ["inline_code_edit"]
    assert (phone["name"], phone["account"]) == ("phone", "ana")
    assert (ana["scopes"], phone["scopes"]) == (["admin"], ["read", "generate", "sandbox"])
    assert (ana["expiresAt"], ci["expiresAt"] - ci["createdAt"]) == (None, 30 * DAY_MS)
    assert abs(ci["createdAt"] - time.time() * 1000) < DAY_MS
    table = run(tmp_path, "token", "list", more={"COLUMNS": "200"}).stdout
    for word in (ci["id"], "ana", "inline_code_edit", "revoked", "never"):
        assert word in table


def test_a_token_is_revoked_by_its_id(tmp_path: Path) -> None:
    for _ in range(2):
        create(tmp_path, "--name", "ci")
    first, _ = listed(tmp_path)
    revoked = run(tmp_path, "token", "revoke", first["id"])
    assert revoked.stdout == f"The token {first['id']} is revoked.\n"
    assert [each["state"] for each in listed(tmp_path)] == ["revoked", "active"]
    again = run(tmp_path, "token", "revoke", first["id"])
    assert (again.returncode, again.stdout) == (1, "")
    assert "token list" in again.stderr


def test_a_token_that_leaked_is_revoked_by_itself_and_not_repeated(tmp_path: Path) -> None:
    token = create(tmp_path, "--name", "ci")
    first, second = (run(tmp_path, "token", "revoke", token) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 1)
    assert token not in first.stdout + second.stdout + second.stderr
    assert [each["state"] for each in listed(tmp_path)] == ["revoked"]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--name", "ci", "--plan", "gold"),
        ("--name", "ci", "--scope", "everything"),
        ("--name", "ci", "--expires", "soon"),
        ("--name", "ci", "--expires", "0d"),
        ("--name", "ci", "--expires", "-1d"),
        ("--name", "ci", "--expires", "999999999999d"),
    ],
)
def test_a_wrong_option_is_wrong_usage(tmp_path: Path, options: tuple[str, ...]) -> None:
    ended = run(tmp_path, "token", "create", *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--name", "a b"), "can't be a name"),
        (("--name", "ci", "--account", "../x"), "can't be a name"),
        (("--name", "ci", "--feature", "wings"), "no feature"),
        (("--name", "ci", "--account", "owner", "--plan", "free"), "owner's account"),
    ],
)
def test_what_can_not_be_is_explained(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    ended = run(tmp_path, "token", "create", *options)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert says in ended.stderr
    assert listed(tmp_path) == []
