"""`forge-lsp serve`."""

import json
import signal
import stat
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from cli_running import alive, run, serving

END_S = 8.0
"""Two seconds on a quiet machine; a busy one takes longer over it."""


def get(url: str, path: str, token: str | None = None) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return ask("GET", url, path, headers)


def post(url: str, path: str) -> tuple[int, bytes]:
    return ask("POST", url, path, {"Content-Type": "application/json"}, "{}")


def ask(
    method: str, url: str, path: str, headers: Mapping[str, str], body: str | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", parts.port, timeout=200)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_its_line_tells_where_it_answers(tmp_path: Path) -> None:
    with serving(tmp_path, "serve") as (process, line):
        assert line["pid"] == process.pid
        assert get(line["url"], "/api/health")[0] == 200


def test_other_programs_find_it_while_it_runs(tmp_path: Path) -> None:
    place = tmp_path / "state" / "server.json"
    with serving(tmp_path, "serve") as (process, line):
        assert json.loads(place.read_text()) == line
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        process.terminate()
        assert process.wait(10) == 0
    assert not place.exists()


def test_a_server_leaves_the_announcement_of_a_later_one_alone(tmp_path: Path) -> None:
    place = tmp_path / "state" / "server.json"
    with serving(tmp_path, "serve") as (first, _), serving(tmp_path, "serve") as (_, second_line):
        first.terminate()
        first.wait(10)
        assert json.loads(place.read_text()) == second_line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_time_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "serve") as (process, line):
        get(line["url"], "/api/health")
        children = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - began < END_S
        assert not alive(children)


def test_it_asks_for_the_token(tmp_path: Path) -> None:
    token = run(tmp_path, "token", "show").stdout.strip()
    with serving(tmp_path, "serve") as (_, line):
        assert get(line["url"], "/api/sandbox/status")[0] == 401
        assert get(line["url"], "/api/sandbox/status", token)[0] == 404


def test_on_the_loopback_it_can_do_without(tmp_path: Path) -> None:
    with serving(tmp_path, "serve", "--no-auth") as (_, line):
        assert get(line["url"], "/api/sandbox/status")[0] == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_elsewhere_it_refuses_to_do_without(tmp_path: Path, host: str) -> None:
    ended = run(tmp_path, "serve", "--host", host, "--no-auth")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "--no-auth" in ended.stderr
    assert "loopback" in ended.stderr


def test_a_setting_can_not_do_away_with_the_token_either(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", "--host", "0.0.0.0", more={"FORGE_HTTP_AUTH": "false"})
    assert ended.returncode == 1
    assert "loopback" in ended.stderr


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    with serving(tmp_path, "serve") as (_, line):
        port = str(urlsplit(line["url"]).port)
        ended = run(tmp_path, "serve", "--port", port)
    assert ended.returncode == 1
    assert port in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_sandboxes_end_with_it_in_time(able_home: Path) -> None:
    with serving(able_home, "serve", "--no-auth") as (process, line):
        status, body = post(line["url"], "/api/sandbox/create")
        assert status == 200, body
        preview = urlsplit(json.loads(body)["url"])
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - began < END_S
        assert not alive(children)
        with pytest.raises(ConnectionRefusedError):
            HTTPConnection("127.0.0.1", preview.port).connect()
