"""Pieces of Python at E2B's double: real code, run by a real Python."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterator
from struct import pack

import msgspec
import pytest
from e2b_double import E2bDouble
from sandbox_contract import until

from forge_lsp.errors import InvalidRequest, SandboxFailed, SandboxGone
from forge_lsp.sandbox.e2b import printed
from forge_lsp.sandbox.e2b import python as python_module
from forge_lsp.sandbox.e2b.python import Python
from forge_lsp.settings import Places, SandboxSettings, Settings

EXECUTE = "POST /execute"
CONTEXTS = "POST /contexts"
REMOVE = r"DELETE /contexts/\w+"
PROJECT = "file:///home/somebody/secret-project"


def png(width: int = 1) -> bytes:
    """The smallest picture: one row of black."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1 + width)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


CHART = f"""
class Chart:
    def __repr__(self): return "<Figure>"
    def _repr_png_(self): return {png()!r}
"""


@pytest.fixture
async def python(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> AsyncIterator[Python]:
    made = Python(Settings(sandbox=e2b_settings), places)
    try:
        yield made
    finally:
        await made.close()
    assert double.sandboxes == {}


async def test_what_code_prints_gives_and_draws_is_told(python: Python, double: E2bDouble) -> None:
    code = f"""{CHART}
import sys
print("hello")
print("w\x1b[31mörld\x1b[0m", file=sys.stderr)
display({{"a": 1}})
Chart()
"""
    output = await python.run(PROJECT, code, print)
    assert output.stdout == "hello\n"
    assert output.stderr == "wörld\n"
    assert output.results == ("{'a': 1}", "<Figure>")
    assert output.charts == (png(),)
    assert (output.error, output.traceback, output.left_out) == ("", "", ())
    body = double.one().body
    assert body["templateID"] == "code-interpreter-v1"
    assert body["autoPause"] is False
    assert body["metadata"]["forge-lsp-kind"] == "python"
    assert len(body["metadata"]["forge-lsp-project"]) == 32
    assert "secret-project" not in str(body)


async def test_an_error_is_part_of_the_output(python: Python) -> None:
    output = await python.run(PROJECT, "print('before')\n1 / 0\nprint('after')", print)
    assert output.stdout == "before\n"
    assert output.error == "ZeroDivisionError: division by zero"
    assert "1 / 0" in output.traceback or "line 2" in output.traceback
    wrong = await python.run(PROJECT, "def f(:\n", print)
    assert wrong.error.startswith("SyntaxError: ")


async def test_a_project_keeps_what_it_defined_and_shares_it_with_no_other(
    python: Python, double: E2bDouble
) -> None:
    await python.run("one", "x = 41", print)
    assert (await python.run("one", "x + 1", print)).results == ("42",)
    assert (await python.run("two", "x", print)).error.startswith("NameError")
    assert len(double.sandboxes) == 2
    assert double.faults.count(CONTEXTS) == 2


async def test_pieces_of_one_project_run_one_after_the_other(
    python: Python, double: E2bDouble
) -> None:
    await python.run("one", "seen = []", print)
    await asyncio.gather(*(python.run("one", f"seen.append({n})", print) for n in range(5)))
    assert (await python.run("one", "sorted(seen)", print)).results == ("[0, 1, 2, 3, 4]",)
    assert len(double.sandboxes) == 1


async def test_code_that_takes_too_long_is_ended_and_told(
    e2b_settings: SandboxSettings, places: Places, double: E2bDouble
) -> None:
    settings = msgspec.structs.replace(e2b_settings, e2b_python_timeout_s=0.5)
    python = Python(Settings(sandbox=settings), places)
    try:
        with pytest.raises(SandboxFailed, match="did not end within") as caught:
            await python.run("one", "x = 1\nwhile True: pass", print)
        assert "E2B_PYTHON_TIMEOUT_S" in caught.value.remedy

        async def is_ended() -> bool:
            return not double.one().jupyter.contexts

        await until(is_ended)
        assert (await python.run("one", "x", print)).error.startswith("NameError")
    finally:
        await python.close()


async def test_whoever_stops_waiting_ends_the_code(python: Python, double: E2bDouble) -> None:
    running = asyncio.create_task(python.run("one", "while True: pass", print))

    async def has_begun() -> bool:
        return bool(double.sandboxes) and bool(double.one().jupyter.executed)

    await until(has_begun)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    async def is_ended() -> bool:
        return not double.one().jupyter.contexts

    await until(is_ended)
    assert (await python.run("one", "1", print)).results == ("1",)


async def test_what_is_too_much_is_cut_and_said(
    python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed, "MAX_TEXT_CHARACTERS", 1000)
    monkeypatch.setattr(printed, "MAX_RESULT_CHARACTERS", 100)
    monkeypatch.setattr(printed, "MAX_CHARTS", 2)
    code = f"""{CHART}
for number in range(500): print(number)
for number in range(3): display(Chart())
"y" * 1000
"""
    output = await python.run("one", code, print)
    assert len(output.stdout) <= 1000
    assert output.stdout.endswith("499\n")
    assert len(output.charts) == 2
    assert len(output.results[-1]) == 100
    assert len(output.left_out) == 3


async def test_code_that_gives_without_end_is_ended(
    python: Python, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printed, "MAX_TAKEN_CHARACTERS", 10_000)
    with pytest.raises(SandboxFailed, match="more than anybody could look at"):
        await python.run("one", "while True: print('x' * 100)", print)

    async def is_ended() -> bool:
        return not double.one().jupyter.contexts

    await until(is_ended)


@pytest.mark.parametrize(
    "sent",
    [
        'type="result", png="!!!"',
        'type="result", png="aGVsbG8="',
        'type="result", png=5, text=["x"]',
        'type="result", svg="<svg onload=x>"',
        'type="stdout", text=None, timestamp=0',
        'type="error", name=None, value={}, traceback=7',
        'type="unheard-of"',
    ],
)
async def test_a_server_that_sends_what_it_likes_gives_no_picture_and_no_crash(
    python: Python, sent: str
) -> None:
    output = await python.run("one", f"send_raw({sent})", print)
    assert output.charts == ()
    assert all(isinstance(each, str) for each in output.results)


@pytest.mark.parametrize("sent", ['type="stdout"', 'text="no type"'])
async def test_a_server_that_makes_no_sense_is_told(python: Python, sent: str) -> None:
    with pytest.raises(SandboxFailed, match="nobody understands"):
        await python.run("one", f"send_raw({sent})", print)
    assert (await python.run("one", "1", print)).results == ("1",)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "message": "slow down", "retry_after_s": 1},
        {"kind": "status", "status": 503, "message": "busy"},
        {"kind": "status", "status": 502, "message": "The sandbox is running but port is not open"},
    ],
    ids=["429", "503", "shut"],
)
async def test_code_that_did_not_begin_is_run_again_and_that_is_told(
    python: Python, double: E2bDouble, fault: dict[str, object]
) -> None:
    double.fault(EXECUTE, **fault)
    stages: list[str] = []
    output = await python.run("one", "print('once')", stages.append)
    assert output.stdout == "once\n"
    assert len(double.one().jupyter.executed) == 1
    assert any("trying again" in each for each in stages)


@pytest.mark.parametrize("kind", ["drop", "drop_answer", "drop_later"])
async def test_a_connection_that_breaks_is_told_and_the_code_not_run_twice(
    python: Python, double: E2bDouble, kind: str
) -> None:
    await python.run("one", "1", print)
    double.fault(EXECUTE, kind, seconds=0.3)
    with pytest.raises(SandboxFailed, match="while the code was running") as caught:
        await python.run(
            "one", "import time; time.sleep(60)" if kind == "drop_later" else "1", print
        )
    assert "Run it again" in caught.value.remedy
    assert double.faults.count(EXECUTE) == 2


async def test_a_sandbox_that_has_expired_is_made_anew_and_that_is_told(
    python: Python, double: E2bDouble
) -> None:
    await python.run("one", "x = 1", print)
    await double.expire(double.one().id)
    stages: list[str] = []
    output = await python.run("one", "print('anew'); x", stages.append)
    assert output.stdout == "anew\n"
    assert output.error.startswith("NameError")
    assert any("has ended" in each for each in stages)


async def test_a_context_that_is_gone_is_made_anew_and_that_is_told(
    python: Python, double: E2bDouble
) -> None:
    await python.run("one", "1", print)
    (context,) = double.one().jupyter.contexts
    await double.one().jupyter._remove(context)
    stages: list[str] = []
    assert (await python.run("one", "2", stages.append)).results == ("2",)
    assert any("starting anew" in each for each in stages)


async def test_a_sandbox_that_expires_meanwhile_is_gone_and_the_code_not_run_twice(
    python: Python, double: E2bDouble
) -> None:
    await python.run("one", "1", print)
    running = asyncio.create_task(python.run("one", "import time; time.sleep(60)", print))

    async def has_begun() -> bool:
        return len(double.one().jupyter.executed) == 2

    await until(has_begun)
    await double.expire(double.one().id)
    with pytest.raises(SandboxGone):
        await running
    assert double.sandboxes == {}
    assert (await python.run("one", "3", print)).results == ("3",)


async def test_a_template_that_is_not_there_is_named(
    e2b_settings: SandboxSettings, places: Places
) -> None:
    settings = msgspec.structs.replace(e2b_settings, e2b_python_template="nowhere")
    python = Python(Settings(sandbox=settings), places)
    with pytest.raises(SandboxFailed, match="no template nowhere"):
        await python.run("one", "1", print)
    await python.close()


async def test_code_that_is_too_long_is_refused(
    python: Python, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_module, "MAX_CODE_CHARACTERS", 10)
    with pytest.raises(InvalidRequest, match="longer than 10"):
        await python.run("one", "x" * 11, print)
    assert double.sandboxes == {}


async def test_neither_code_nor_key_is_logged_at_the_default_level(
    python: Python, double: E2bDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    double.fault(EXECUTE, status=500, message=f"{double.key} is wrong")
    with pytest.raises(SandboxFailed) as caught:
        await python.run("one", "print('my code')", print)
    assert double.key not in f"{caught.value.message} {caught.value.__cause__} {caplog.text}"
    assert "my code" not in caplog.text


async def test_nothing_is_made_after_the_end(python: Python) -> None:
    await python.close()
    with pytest.raises(SandboxFailed, match="ending"):
        await python.run("one", "1", print)
