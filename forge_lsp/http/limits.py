"""How much an account may ask for: requests a minute, runs at once, the model's tokens a day.

Requests are counted in this process alone, in memory, so behind several servers an account has as
many times the rate. Runs and tokens are counted for all processes that share the store. Tokens are
known once a run has used them, so the last runs of a day may go over by what they take.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from forge_lsp.actions.accounts import Caller
from forge_lsp.actions.engine import OWNER, Engine
from forge_lsp.http.denials import QuotaExceeded, TooMany
from forge_lsp.http.failures import RETRY_AFTER_S
from forge_lsp.http.needs import needs_of
from forge_lsp.http.state import ATTENDANCE, CALLER, ON_RUN, engine_of
from forge_lsp.settings import LimitSettings


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account may take; 0 is no limit."""

    requests_per_minute: int
    active_runs: int
    tokens_per_day: int

    @classmethod
    def of(cls, caller: Caller, limits: LimitSettings) -> "Allowance":
        """What the caller's plan allows; the owner's machine is the owner's."""
        if caller.account == OWNER:
            return cls(0, 0, 0)
        if caller.plan == "pro":
            return cls(
                limits.pro_requests_per_minute, limits.pro_active_runs, limits.pro_tokens_per_day
            )
        return cls(
            limits.free_requests_per_minute, limits.free_active_runs, limits.free_tokens_per_day
        )


class Rates:
    """A bucket for each account, which fills within a minute; a request takes one out of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """What was in it, and when. Accounts are made by the machine's owner, so they are few."""

    def take(self, account: str, per_minute: int) -> float:
        """Take one; gives how many seconds it is until there is one, where there is none."""
        now = self._clock()
        held, at = self._buckets.get(account, (float(per_minute), now))
        held = min(float(per_minute), held + (now - at) * per_minute / 60)
        if held < 1:
            self._buckets[account] = (held, now)
            return (1 - held) * 60 / per_minute
        self._buckets[account] = (held - 1, now)
        return 0.0


def limit_rates() -> Middleware:
    """Refuses the requests of an account that makes too many."""
    rates = Rates()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = request.get(CALLER)
        if caller is not None and caller.account != OWNER:
            limits = (await engine_of(request)).settings.limits
            per_minute = Allowance.of(caller, limits).requests_per_minute
            if per_minute and (wait_s := rates.take(caller.account, per_minute)):
                raise TooMany(f"At most {per_minute} requests a minute are taken", wait_s)
        return await handler(request)

    return check


def limit_runs() -> Middleware:
    """Refuses runs beyond what the account may have at once and may use in a day."""
    starting: Counter[str] = Counter()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        needs, caller = needs_of(request), request.get(CALLER)
        if caller is None or needs is None or not needs.starts_run or caller.account == OWNER:
            return await handler(request)
        account = caller.account
        engine = await engine_of(request)
        allowance = Allowance.of(caller, engine.settings.limits)
        if needs.asks_model and allowance.tokens_per_day:
            await _check_tokens(engine, account, allowance.tokens_per_day)
        elsewhere = await _runs_elsewhere(engine, account)
        here = request.app[ATTENDANCE].active(account) + starting[account]
        if allowance.active_runs and here + elsewhere >= allowance.active_runs:
            raise TooMany(
                f"At most {allowance.active_runs} runs may be under way at once", RETRY_AFTER_S
            )
        with _start_of_a_run(starting, account) as begun:
            # The first of those who are told: nothing may come between one count and the other.
            request.setdefault(ON_RUN, []).insert(0, begun)
            return await handler(request)

    return check


@contextmanager
def _start_of_a_run(
    starting: Counter[str], account: str
) -> Generator[Callable[[str], Awaitable[None]]]:
    """Counts a run until it has begun, from when on it is counted by its attendance."""
    starting[account] += 1
    is_counted = True

    def leave() -> None:
        nonlocal is_counted
        if is_counted:
            starting[account] -= 1
            is_counted = False

    async def begun(_run_id: str) -> None:
        leave()

    try:
        yield begun
    finally:
        leave()


async def _check_tokens(engine: Engine, account: str, tokens_per_day: int) -> None:
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    used = await engine.store.model_tokens(account, round(midnight.timestamp() * 1000))
    if used >= tokens_per_day:
        raise QuotaExceeded(
            f"The {tokens_per_day:,} tokens that may be used in a day are used up",
            (midnight + timedelta(days=1) - now).total_seconds(),
        )


async def _runs_elsewhere(engine: Engine, account: str) -> int:
    """The account's runs in other processes; those of a dead one are nobody's any more."""
    owners = Counter(await engine.store.owners_of_open_runs(account))
    del owners[engine.store.owner]
    return sum([owners[owner] for owner in await engine.store.living(owners)]) if owners else 0
