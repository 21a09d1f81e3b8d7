"""What goes wrong at E2B: what is tried again, and how the rest is told."""

import asyncio
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterator

import e2b.exceptions
import httpx
import msgspec
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from e2b_double import E2bDouble
from sandbox_contract import APP, until

from forge_lsp.errors import ForgeError, SandboxFailed, SandboxGone
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.e2b import cloud
from forge_lsp.sandbox.e2b.failures import explained, is_passing
from forge_lsp.sandbox.e2b.instance import E2bSandbox
from forge_lsp.sandbox.e2b.provider import E2bProvider
from forge_lsp.settings import Places, SandboxSettings, Secret, Settings

CREATE = "POST /v2/sandboxes"
UPLOAD = "POST /files"
Changed = Callable[..., E2bProvider]
START = r"POST /process\.Process/Start"
MOVE = r"POST /filesystem\.Filesystem/Move"


@pytest.fixture(autouse=True)
def nothing_tells_the_key(double: E2bDouble, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever goes wrong here, the key is in no log, at any level."""
    caplog.set_level(logging.DEBUG)
    yield
    told = "".join(
        each.getMessage()
        + "".join(traceback.format_exception(each.exc_info[1]) if each.exc_info else ())
        for each in caplog.get_records("call")
    )
    assert double.key not in told


async def failed_create(provider: E2bProvider) -> tuple[ForgeError, list[str]]:
    stages: list[str] = []
    with pytest.raises(ForgeError) as caught:
        await provider.create(stages.append)
    return caught.value, stages


@pytest.fixture
async def changed(e2b_settings: SandboxSettings, places: Places) -> AsyncIterator[Changed]:
    """Makes a provider with other settings."""
    made: list[E2bProvider] = []

    def change(**fields: object) -> E2bProvider:
        settings = msgspec.structs.replace(e2b_settings, **fields)
        made.append(E2bProvider(Settings(sandbox=settings), places))
        return made[-1]

    yield change
    for provider in made:
        await provider.close()


async def test_without_a_key_the_way_to_one_is_told(
    changed: Changed,
) -> None:
    error, _ = await failed_create(changed(e2b_api_key=None))
    assert isinstance(error, SandboxFailed)
    assert "E2B_API_KEY" in error.remedy
    assert "https://e2b.dev" in error.remedy


async def test_a_key_that_is_refused_is_told_once_and_never_shown(
    changed: Changed, double: E2bDouble
) -> None:
    wrong = Secret("e2b_ffffffffffffffffffffffffffffffffffffffff")
    error, _ = await failed_create(changed(e2b_api_key=wrong))
    assert isinstance(error, SandboxFailed)
    assert error.message.startswith("E2B refused the key while making a sandbox: 401")
    assert "Invalid API key: ***" in error.message
    assert "E2B_API_KEY" in error.remedy
    assert wrong.reveal() not in "".join(traceback.format_exception(error))
    assert double.faults.count(CREATE) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (429, "ask too often"),
        (503, "no room"),
        (502, "refused"),
        (500, "refused"),
        (504, "refused"),
    ],
)
async def test_what_passes_is_tried_again_and_told(
    provider: E2bProvider, double: E2bDouble, status: int, words: str
) -> None:
    double.fault(CREATE, status=status, times=2, message="wait a little")
    stages: list[str] = []
    sandbox = await provider.create(stages.append)
    assert await sandbox.is_alive()
    told = [each for each in stages if "trying again" in each]
    assert len(told) == 2
    assert all(words in each for each in told)
    assert told[0].endswith("(1 of 2)...")
    assert double.faults.count(CREATE) == 3
    assert len(double.sandboxes) == 1


@pytest.mark.parametrize(("status", "words"), [(429, "too often"), (503, "no room")])
async def test_what_does_not_pass_is_told_with_what_to_do(
    provider: E2bProvider, double: E2bDouble, status: int, words: str
) -> None:
    double.fault(CREATE, status=status, times=9, message="the maximum number of sandboxes")
    error, stages = await failed_create(provider)
    assert isinstance(error, SandboxFailed)
    assert words in error.message
    assert "the maximum number of sandboxes." in error.message
    assert error.remedy.startswith("Wait")
    assert len(stages) == 3
    assert double.faults.count(CREATE) == 3


async def test_each_wait_is_longer_than_the_one_before_up_to_the_limit(
    changed: Changed, double: E2bDouble
) -> None:
    waits: list[float] = []
    real = asyncio.sleep

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await real(0)

    provider = changed(e2b_attempts=8, e2b_max_retry_delay_s=8)
    double.fault(CREATE, status=503, times=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("forge_lsp.sandbox.e2b.calls.asyncio.sleep", note)
        await failed_create(provider)
    told = [each for each in waits if each > 0.2]
    full = [0.5, 1, 2, 4, 8, 8, 8]
    assert all(most / 2 <= wait <= most for wait, most in zip(told, full, strict=True))


async def test_an_answer_that_is_lost_makes_no_second_sandbox(
    provider: E2bProvider, double: E2bDouble
) -> None:
    double.fault(CREATE, "drop_answer")
    sandbox = await provider.create(print)
    assert double.faults.count(CREATE) == 2
    assert double.one().id == sandbox.id


async def test_a_template_that_is_not_there_is_named(changed: Changed, double: E2bDouble) -> None:
    error, _ = await failed_create(changed(e2b_template=None))
    assert error.message.startswith("E2B has no template forge-lsp-")
    assert "forge-lsp e2b build-template" in error.remedy
    assert double.faults.count(CREATE) == 1


async def test_a_lease_that_the_account_may_not_have_is_explained(
    changed: Changed,
) -> None:
    error, _ = await failed_create(changed(lease_s=86_400))
    assert "Timeout cannot be greater than 1 hours" in error.message


async def test_a_server_that_is_not_there_is_told(
    provider: E2bProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2B_API_URL", "http://127.0.0.1:9")
    error, stages = await failed_create(provider)
    assert isinstance(error, SandboxFailed)
    assert "can't be reached while making a sandbox" in error.message
    assert "network" in error.remedy
    assert any("trying again" in each for each in stages)


async def test_a_server_that_does_not_answer_is_told(
    provider: E2bProvider, double: E2bDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "REQUEST_TIMEOUT_S", 0.2)
    double.fault(CREATE, "slow", times=9, seconds=1)
    error, _ = await failed_create(provider)
    assert isinstance(error, SandboxFailed)
    assert "network" in error.remedy


async def test_an_answer_that_makes_no_sense_is_told(
    provider: E2bProvider, double: E2bDouble
) -> None:
    double.fault(CREATE, status=201, message="<html>")
    error, _ = await failed_create(provider)
    assert isinstance(error, SandboxFailed)
    assert "nobody understands" in error.message


@pytest.mark.parametrize("where", [UPLOAD, MOVE])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 502, "message": "bad gateway"},
        {"kind": "status", "status": 429, "message": "slow down"},
        {"kind": "status", "status": 502, "message": "The sandbox is running but port is not open"},
        {"kind": "drop"},
        {"kind": "drop_answer"},
    ],
    ids=["502", "429", "shut", "drop", "drop answer"],
)
async def test_a_write_that_meets_with_what_passes_is_made_again(
    sandbox: E2bSandbox, double: E2bDouble, where: str, fault: dict[str, object]
) -> None:
    double.fault(where, **fault)
    await sandbox.write(APP, b"written")
    assert await sandbox.read(APP) == b"written"
    assert double.faults.count(where) == 2


@pytest.mark.parametrize("where", [UPLOAD, START])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 502, "message": "bad gateway"},
        {"kind": "status", "status": 429, "message": "slow down", "retry_after_s": 1},
        {"kind": "status", "status": 502, "message": "The sandbox is running but port is not open"},
        {"kind": "slow", "seconds": 0.2},
        {"kind": "drop"},
        {"kind": "drop_answer"},
    ],
    ids=["502", "429", "shut", "slow", "drop", "drop answer"],
)
async def test_many_files_that_meet_with_what_passes_are_put_all_the_same(
    sandbox: E2bSandbox, double: E2bDouble, where: str, fault: dict[str, object]
) -> None:
    gone = ProjectPath.parse("index.html")
    double.fault(where, **fault)
    assert await sandbox.put({APP: b"put", gone: None}) == {}
    assert await sandbox.read(APP) == b"put"
    assert gone not in await sandbox.files()


async def test_what_is_tried_again_is_in_the_log(
    sandbox: E2bSandbox, double: E2bDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.fault(UPLOAD, status=429, message="slow down")
    await sandbox.put({APP: b"put"})
    assert "ask too often" in caplog.text
    assert "trying again in" in caplog.text


async def test_a_sandbox_that_expires_while_files_are_put_is_gone(
    sandbox: E2bSandbox, double: E2bDouble
) -> None:
    fault = double.fault(START, "slow", seconds=0.3)
    putting = asyncio.create_task(sandbox.put({APP: b"put"}))

    async def is_under_way() -> bool:
        return fault.met == 1

    await until(is_under_way)
    await double.expire(sandbox.id)
    with pytest.raises(SandboxGone, match="ended in the cloud"):
        await putting


async def test_a_disk_that_is_full_is_told_for_many_files_too(
    sandbox: E2bSandbox, double: E2bDouble
) -> None:
    double.one().envd.is_full = True
    with pytest.raises(SandboxFailed, match="disk is full") as uploading:
        await sandbox.put({APP: b"x"})
    assert "Delete files" in uploading.value.remedy
    double.one().envd.is_full = False
    script = double.one().machine.home / ".forge-lsp/put.mjs"
    full = "tar: put/x: Cannot write: No space left on device"
    script.write_text(f"console.error('{full}'); process.exitCode = 2;")
    with pytest.raises(SandboxFailed, match="disk is full") as unpacking:
        await sandbox.put({APP: b"x"})
    assert "Delete files" in unpacking.value.remedy
    script.write_text("process.stdout.write('src/App.tsx\\0ENOSPC\\0');")
    assert await sandbox.put({APP: b"x"}) == {APP: "the sandbox's disk is full."}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "message": "slow down", "retry_after_s": 1},
        {"kind": "slow", "seconds": 0.2},
    ],
    ids=["429", "slow"],
)
async def test_a_program_that_did_not_begin_is_run_again_and_that_is_told(
    sandbox: E2bSandbox, double: E2bDouble, fault: dict[str, object]
) -> None:
    double.fault(START, **fault)
    heard: list[str] = []
    words = ["node", "-e", "require('fs').appendFileSync('runs.txt', 'x')"]
    assert await sandbox.run(words, heard.append, 60) == 0
    assert await sandbox.read(ProjectPath.parse("runs.txt")) == b"x"
    assert ("trying again" in "".join(heard)) is (fault["kind"] == "status")


@pytest.mark.parametrize("kind", ["drop", "drop_answer", "drop_later"])
async def test_a_program_whose_connection_breaks_is_ended_told_and_not_run_twice(
    sandbox: E2bSandbox, double: E2bDouble, kind: str
) -> None:
    fault = double.fault(START, kind, seconds=0.5)
    forever = kind == "drop_later"
    words = ["node", "-e", f"setTimeout(() => {{}}, {60_000 if forever else 1})", "marked-by-me"]
    with pytest.raises(SandboxFailed, match="while node was running") as caught:
        await sandbox.run(words, print, 60)
    assert "Run it again" in caught.value.remedy
    assert fault.met == 1

    async def is_ended() -> bool:
        programs = double.one().machine.programs.values()
        return not [each for each in programs if "marked-by-me" in str(each.config)]

    await until(is_ended)


async def test_a_sandbox_that_expires_while_a_program_runs_is_gone(
    sandbox: E2bSandbox, double: E2bDouble
) -> None:
    heard: list[str] = []
    script = "console.log('begun'); setTimeout(() => {}, 60000)"
    running = asyncio.create_task(sandbox.run(["node", "-e", script], heard.append, 60))

    async def has_begun() -> bool:
        return "begun" in "".join(heard)

    await until(has_begun)
    await double.expire(sandbox.id)
    with pytest.raises(SandboxGone):
        await running


async def test_a_full_disk_is_told_at_once(sandbox: E2bSandbox, double: E2bDouble) -> None:
    double.one().envd.is_full = True
    with pytest.raises(SandboxFailed, match=r"disk is full while writing src/App\.tsx") as caught:
        await sandbox.write(APP, b"x")
    assert "Delete files" in caught.value.remedy
    assert double.faults.count(UPLOAD) == 1


async def test_a_network_that_stays_away_is_told(sandbox: E2bSandbox, double: E2bDouble) -> None:
    double.fault(r"GET /files", "drop", times=99)
    double.fault(r"GET /health", "drop", times=99)
    with pytest.raises(SandboxFailed, match=r"can't be reached while reading src/App\.tsx"):
        await sandbox.read(APP)
    assert double.one().state == "running"


async def test_an_expired_sandbox_is_gone_and_nothing_is_tried_again(
    sandbox: E2bSandbox, double: E2bDouble
) -> None:
    await double.expire(sandbox.id)
    asked = double.faults.count(UPLOAD)
    with pytest.raises(SandboxGone, match="ended in the cloud"):
        await sandbox.write(APP, b"x")
    assert double.faults.count(UPLOAD) == asked + 1
    assert not await sandbox.is_alive()
    with pytest.raises(SandboxGone):
        await sandbox.files()
    await sandbox.kill()


async def test_an_expired_sandbox_that_nobody_used_is_known_to_be_dead(
    sandbox: E2bSandbox, double: E2bDouble
) -> None:
    await double.expire(sandbox.id)
    assert not await sandbox.is_alive()


async def test_is_alive_never_raises(sandbox: E2bSandbox, double: E2bDouble) -> None:
    double.fault(r"GET /sandboxes/.*", "drop", times=99)
    assert not await sandbox.is_alive()


def _all_of_the_sdk() -> list[type[Exception]]:
    return [
        each
        for _, each in inspect.getmembers(e2b.exceptions, inspect.isclass)
        if issubclass(each, Exception)
    ]


@pytest.mark.parametrize("kind", _all_of_the_sdk(), ids=lambda each: each.__name__)
def test_every_exception_of_the_sdk_has_our_words(kind: type[Exception]) -> None:
    ours = explained(kind("some detail\nand a second line"), "doing something")
    assert isinstance(ours, SandboxFailed | SandboxGone)
    assert ours.message.endswith("while doing something: some detail.")
    assert ours.remedy.endswith(".")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (e2b.exceptions.SandboxNotRunningException("x"), False),
        (e2b.exceptions.SandboxNotFoundException("x"), False),
        (e2b.exceptions.SandboxUnreachableException("x"), True),
        (e2b.exceptions.TimeoutException("x"), True),
        (e2b.exceptions.AuthenticationException("x"), False),
        (e2b.exceptions.InvalidArgumentException("x"), False),
        (e2b.exceptions.NotEnoughSpaceException("x"), False),
        (e2b.exceptions.ServiceBusyException("x"), True),
        (e2b.exceptions.SandboxException("x", status_code=403), False),
        (e2b.exceptions.SandboxException("x", status_code=504), True),
        (httpx.ConnectError("x"), True),
        (ConnectError(Code.UNAVAILABLE, "x"), True),
        (ConnectionResetError(), True),
        (KeyError("x"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: Exception, *, passes: bool) -> None:
    assert is_passing(error) is passes
