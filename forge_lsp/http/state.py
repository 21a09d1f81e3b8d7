"""What the application's handlers share."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from forge_lsp.actions.accounts import Caller
from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.http.attendance import Attendance
from forge_lsp.http.streams import Streams
from forge_lsp.settings import HttpSettings

ENGINE = web.AppKey("engine", Late[Engine])
SETTINGS = web.AppKey("settings", HttpSettings)
STREAMS = web.AppKey("streams", Streams)
ATTENDANCE = web.AppKey("attendance", Attendance)

CALLER = web.RequestKey("caller", Caller)
REQUEST_ID = web.RequestKey("request_id", str)
ON_RUN = web.RequestKey("on_run", list[Callable[[str], Awaitable[None]]])
"""Called with the id of the run that the request has started, before its client hears of it."""


async def engine_of(request: web.Request) -> Engine:
    """The engine, opened by the first request that needs it; raises `StoreFailed`."""
    return await request.app[ENGINE].get()


def account_of(request: web.Request) -> str:
    """Whose token the request came with."""
    return request[CALLER].account


async def run_began(request: web.Request, response: web.StreamResponse) -> None:
    """Tell those who wait for the request's run that it has one."""
    run_id = response.headers.get("X-Run-Id")
    if run_id is not None:
        for tell in request.get(ON_RUN, ()):
            await tell(run_id)
