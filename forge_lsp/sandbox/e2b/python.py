"""Pieces of Python, run at E2B in a machine that was made for that."""

import asyncio
import logging
import time

import msgspec
from e2b import NotFoundException, RateLimitException, TimeoutException
from e2b.exceptions import (
    SandboxUnreachableException,
    is_sandbox_not_found_message,
    is_sandbox_port_not_open_message,
)
from e2b_code_interpreter import (  # pyright: ignore[reportMissingTypeStubs]
    AsyncSandbox,
    Context,
)

from forge_lsp.errors import ForgeError, InvalidRequest, NotFound, SandboxFailed, SandboxGone
from forge_lsp.ports.sandbox import PythonOutput, StageSink
from forge_lsp.sandbox.e2b import terms
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.failures import brief, is_passing
from forge_lsp.sandbox.e2b.lease import CloudLease
from forge_lsp.sandbox.e2b.life import Life
from forge_lsp.sandbox.e2b.machines import Machines
from forge_lsp.sandbox.e2b.printed import Printed, TooMuch
from forge_lsp.sandbox.lease import Clock
from forge_lsp.settings import Places, SandboxSettings, Settings

log = logging.getLogger(__name__)

MAX_CODE_CHARACTERS = 1_000_000
GRACE_S = 10.0
"""So much later than we, the SDK gives up on a piece of code."""


class _Unused(SandboxGone):
    """A machine that was gone before it had begun with the code."""


class Python:
    """Runs Python, for each project in a machine of its own.

    What a piece of code defines is there for the project's next one, until the lease runs out or
    a piece has to be ended.
    """

    def __init__(
        self, settings: Settings, places: Places, *, clock: Clock = time.monotonic
    ) -> None:
        # Nobody takes up one that was paused, so none is.
        self._settings = msgspec.structs.replace(settings.sandbox, e2b_on_timeout="kill")
        self._clock = clock
        self._machines = Machines(self._settings, places)
        self._interpreters: dict[str, _Interpreter] = {}
        self._making: dict[str, asyncio.Lock] = {}

    async def run(self, project: str, code: str, on_stage: StageSink) -> PythonOutput:
        """Run a piece of code; that it raises something is no error of ours but in the output.

        Whoever stops waiting ends it. Raises `InvalidRequest` for code that is too long, and
        `SandboxFailed` where there is no key, no machine, or it takes longer than
        `e2b_python_timeout_s`.
        """
        if len(code) > MAX_CODE_CHARACTERS:
            raise InvalidRequest(f"The code is longer than {MAX_CODE_CHARACTERS} characters.")
        try:
            return await (await self._of(project, on_stage)).run(code, on_stage)
        except _Unused:
            on_stage("The Python sandbox has ended, with what was defined in it; making another...")
        return await (await self._of(project, on_stage)).run(code, on_stage)

    async def close(self) -> None:
        """End every machine that it made; one that E2B can't be told of ends with its lease."""
        await self._machines.stop()
        ending = [each.end("Its server has ended.") for each in self._interpreters.values()]
        for answer in await asyncio.gather(*ending, return_exceptions=True):
            if isinstance(answer, ForgeError):
                log.warning("a sandbox ends with its lease only: %s", answer.message)
            elif isinstance(answer, BaseException):
                log.error("a sandbox's end broke", exc_info=answer)
        await self._machines.close()

    async def _of(self, project: str, on_stage: StageSink) -> "_Interpreter":
        async with self._making.setdefault(project, asyncio.Lock()):
            known = self._interpreters.get(project)
            if known is not None and not known.is_over:
                return known
            account = await self._machines.account()
            on_stage("Asking E2B for a Python sandbox...")
            template = self._settings.e2b_python_template
            labels = terms.labels(account.owner, project, terms.PYTHON_KIND)
            sdk = await self._machines.make(account, template, labels, on_stage)
            made = _Interpreter(sdk, account.calls, self._settings, self._clock)
            self._interpreters[project] = made
            return made


class _Interpreter:
    """One machine, and the context in it that keeps what was defined."""

    def __init__(
        self, sdk: AsyncSandbox, calls: Calls, settings: SandboxSettings, clock: Clock
    ) -> None:
        self._sdk = sdk
        self._calls = calls
        self._timeout_s = settings.e2b_python_timeout_s
        self._life = Life(sdk.sandbox_id, calls, sdk.kill)
        self._lease = CloudLease(settings.lease_s, clock, self._tell_lease, self._life.afterwards)
        self._context: Context | None = None
        self._turn = asyncio.Lock()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, as far as we know."""
        return bool(self._life.why_ended)

    async def run(self, code: str, on_stage: StageSink) -> PythonOutput:
        """One piece at a time; raises `_Unused` where the machine was gone before."""
        self._lease.renew()
        return await self._life.work(self._run(code, on_stage))

    async def end(self, why: str) -> None:
        """End it for this reason, unless it has ended."""
        await self._life.end(why)

    async def _run(self, code: str, on_stage: StageSink) -> PythonOutput:
        async with self._turn:
            try:
                return await self._in_context(code, on_stage)
            except NotFound:
                on_stage("What was defined before is gone; starting anew...")
                self._context = None
                return await self._in_context(code, on_stage)

    async def _in_context(self, code: str, on_stage: StageSink) -> PythonOutput:
        """Raises `NotFound` where the machine doesn't know the context any more."""
        if self._context is None:
            self._context = await self._calls.make("opening Python", self._open, on_stage)
        context, printed = self._context, Printed()

        async def once() -> None:
            try:
                await self._execute(code, context, printed)
            except BaseException as error:
                if not isinstance(error, _NEVER_BEGAN):
                    self._forget(context)
                raise

        await self._calls.make("running Python", once, on_stage)
        return printed.output

    async def _open(self) -> Context:
        try:
            return await self._sdk.create_code_context(language="python")
        except TimeoutException as error:
            raise _told(error) from None

    async def _execute(self, code: str, context: Context, printed: Printed) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._sdk.run_code(
                    code,
                    context=context,
                    on_stdout=printed.hear_stdout,
                    on_stderr=printed.hear_stderr,
                    on_result=printed.hear_result,
                    on_error=printed.hear_error,
                    timeout=self._timeout_s + GRACE_S,
                )
        except TooMuch:
            raise SandboxFailed(
                "The code gave more than anybody could look at, so it was ended.",
                remedy="Let it print less.",
            ) from None
        except TimeoutError:
            raise SandboxFailed(
                f"The code did not end within {self._timeout_s:.0f} s, so it was ended.",
                remedy="Set FORGE_SANDBOX_E2B_PYTHON_TIMEOUT_S higher where it needs longer.",
            ) from None
        except Exception as error:  # noqa: BLE001 - All are raised again, in other words.
            raise _told(error) from None

    def _forget(self, context: Context) -> None:
        """End what may still be running in it; the next piece of code begins anew."""
        self._context = None

        async def remove() -> None:
            try:
                await self._calls.make(
                    "ending Python", lambda: self._sdk.remove_code_context(context)
                )
            except ForgeError as error:
                log.info("a piece of Python may run on in its sandbox: %s", error.message)

        self._life.afterwards(remove())

    async def _tell_lease(self, seconds: int) -> None:
        await self._calls.make(
            "renewing the sandbox's lease", lambda: self._sdk.set_timeout(seconds)
        )


_NEVER_BEGAN = (_Unused, NotFound, RateLimitException, SandboxUnreachableException)
"""After these nothing of the code was run, so that it may be tried again."""


def _told(error: Exception) -> Exception:
    """What the SDK says of its second server, in the words that it has for its first."""
    text = str(error)
    if isinstance(error, NotFoundException):
        return NotFound("E2B has no such Python context any more.")
    if text.startswith(("429", "503")):
        return RateLimitException(text)
    if is_sandbox_not_found_message(text):
        return _Unused(f"The Python sandbox has ended in the cloud: {text[:200]}")
    if is_sandbox_port_not_open_message(text):
        return SandboxUnreachableException(text)
    if "was killed" in text:
        return SandboxGone("The Python sandbox ended while the code was running.")
    if is_passing(error):
        return SandboxFailed(
            f"{brief(error)} while the code was running, so it was ended.",
            remedy="Run it again once the network is back.",
        )
    return error
