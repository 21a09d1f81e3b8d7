"""Speaks to the API over a bare socket: what a client library would refuse to send."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from http_serving import TOKEN, Api

WAIT_S = 20.0
JSON = "Content-Type: application/json"
_STATUS = re.compile(rb"^HTTP/\d\.\d (\d{3}) ", re.MULTILINE)


@dataclass(frozen=True)
class Heard:
    """All that came until the server closed the connection."""

    data: bytes

    @property
    def statuses(self) -> list[int]:
        """Of each answer, without those that only say to go on."""
        found = [int(status) for status in _STATUS.findall(self.data)]
        return [status for status in found if status != 100]

    @property
    def headers(self) -> dict[str, str]:
        """Of the first answer, by their names in lower case."""
        lines = self.data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        return {name.lower(): value.strip() for name, _, value in pairs}


def host(api: Api) -> str:
    return f"127.0.0.1:{api.port}"


def head(api: Api, line: str, *more: str, token: str = TOKEN) -> bytes:
    """A request's head up to its empty line, with `Host` and, unless it is empty, the token."""
    given = [f"Authorization: Bearer {token}"] if token else []
    lines = [f"{line} HTTP/1.1", f"Host: {host(api)}", *given, *more, "", ""]
    return "\r\n".join(lines).encode("latin-1")


@asynccontextmanager
async def connected(
    api: Api,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def say(api: Api, data: bytes, *, shut: bool = False) -> Heard:
    """Send the bytes as they are, close our side if told to, and listen to the end.

    Fails where the server hasn't closed the connection within `WAIT_S`.
    """
    heard = b""
    async with connected(api) as (reader, writer), asyncio.timeout(WAIT_S):
        try:
            writer.write(data)
            if shut:
                writer.write_eof()
            while piece := await reader.read(65536):
                heard += piece
        except ConnectionError:
            # It may hang up on what is too long before all of it is out.
            pass
    return Heard(heard)
