"""What the application's handlers share."""

from aiohttp import web

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.http.attendance import Attendance
from forge_lsp.http.streams import Streams
from forge_lsp.settings import HttpSettings

ENGINE = web.AppKey("engine", Late[Engine])
SETTINGS = web.AppKey("settings", HttpSettings)
STREAMS = web.AppKey("streams", Streams)
ATTENDANCE = web.AppKey("attendance", Attendance)

ACCOUNT = web.RequestKey("account", str)
REQUEST_ID = web.RequestKey("request_id", str)


async def engine_of(request: web.Request) -> Engine:
    """The engine, opened by the first request that needs it; raises `StoreFailed`."""
    return await request.app[ENGINE].get()


def account_of(request: web.Request) -> str:
    """Whose token the request came with."""
    return request[ACCOUNT]
