"""`forge-lsp demo`: the language server, an editor, the demo model and a real sandbox."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from cli_running import alive, command, environment, run

DEMO_TIMEOUT_S = 300
_URL = re.compile(r"The page is up: (http://\S+)")
_FOLDER = re.compile(r"Opening (\S+) in an editor")


def lines_until(process: "subprocess.Popen[str]", wanted: re.Pattern[str]) -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if wanted.search(line):
            return
    raise AssertionError(f"it ended before it said {wanted.pattern}")


def start(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command("demo", *arguments),
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(DEMO_TIMEOUT_S)
def test_once_it_goes_from_a_prompt_to_a_page_and_leaves_nothing(able_home: Path) -> None:
    ended = run(able_home, "demo", "--once", "--keep", timeout_s=DEMO_TIMEOUT_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "DEMO MODEL" in ended.stdout
    assert "all that was started has ended" in ended.stdout
    url, folder = _URL.search(ended.stdout), _FOLDER.search(ended.stdout)
    assert url
    assert folder
    place = Path(folder[1])
    try:
        assert "useState" in (place / "src" / "Counter.tsx").read_text()
        assert "Counter" in (place / "src" / "App.tsx").read_text()
        assert (place / "package.json").is_file()
    finally:
        subprocess.run(["rm", "-rf", str(place)], check=True)
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection("127.0.0.1", urlsplit(url[1]).port).connect()
    listed = run(able_home, "runs")
    assert "generate" in listed.stdout
    assert "completed" in listed.stdout


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(DEMO_TIMEOUT_S)
def test_a_build_goes_from_its_plan_to_a_page(able_home: Path) -> None:
    ended = run(able_home, "demo", "--once", "--build", timeout_s=DEMO_TIMEOUT_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Planned 7 file(s)" in ended.stdout
    assert "✓ Reviewed (" in ended.stdout
    assert _URL.search(ended.stdout)
    assert "all that was started has ended" in ended.stdout


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(DEMO_TIMEOUT_S)
def test_without_once_the_page_stays_until_ctrl_c(able_home: Path) -> None:
    process = start(able_home)
    try:
        *_, last = lines_until(process, _URL)
        found = _URL.search(last)
        assert found
        parts = urlsplit(found[1])
        connection = HTTPConnection("127.0.0.1", parts.port, timeout=20)
        connection.request("GET", "/", headers={"Host": parts.netloc})
        assert connection.getresponse().status == 200
        connection.close()
        list(lines_until(process, re.compile("Ctrl-C")))
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert not alive(children)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(DEMO_TIMEOUT_S)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle_it_ends_with_130_and_leaves_nothing(
    able_home: Path, number: signal.Signals
) -> None:
    process = start(able_home, "--once")
    try:
        first, *_ = lines_until(process, re.compile("forge.generate"))
        folder = _FOLDER.search(first)
        assert folder
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(number)
        assert process.wait(20) == 130
        assert not alive(children)
        assert not Path(folder[1]).exists()
    finally:
        process.kill()
        process.communicate()


def test_where_no_sandbox_can_be_it_says_why_and_what_to_do(home: Path) -> None:
    without_node = home / "bin"
    without_node.mkdir()
    if bubblewrap := shutil.which("bwrap"):
        (without_node / "bwrap").symlink_to(bubblewrap)
    ended = run(home, "demo", "--once", more={"PATH": str(without_node)})
    assert ended.returncode == 1
    assert "Node" in ended.stderr
    assert "Install" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_model_that_can_not_be_asked_is_explained(home: Path) -> None:
    ended = run(home, "demo", "--once", more={"ANTHROPIC_BASE_URL": "no address"})
    assert ended.returncode == 1
    assert "ANTHROPIC_BASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
