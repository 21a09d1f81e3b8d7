"""The log of a sandbox, and waiting for what it will hold."""

import asyncio

from forge_lsp.sandbox.log import MAX_KEPT_LINES, Log
from forge_lsp.sandbox.news import News


def texts(log: Log, after: int = 0, limit: int = 500) -> list[tuple[int, str]]:
    return [(each.seq, each.text) for each in log.lines(after, limit)]


async def read_in(log: Log, *pieces: bytes) -> None:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    await log.read(reader)


async def test_lines_are_numbered_on_through_every_source_and_restart() -> None:
    log = Log()
    await read_in(log, b"one\ntw", b"o\nunfinished")
    log.add("page", [b"thrown"])
    await read_in(log, b"again\n")
    assert texts(log) == [(1, "one"), (2, "two"), (3, "unfinished"), (4, "thrown"), (5, "again")]
    assert [each.source for each in log.lines(3, 2)] == ["page", "server"]
    assert texts(log, 5) == []
    assert texts(log, 1, 2) == [(2, "two"), (3, "unfinished")]
    assert log.tail() == "one\ntwo\nunfinished\nagain"


async def test_only_the_last_lines_are_kept_under_their_own_numbers() -> None:
    log = Log()
    log.add("server", (b"%d" % each for each in range(1, 2 * MAX_KEPT_LINES + 1)))
    assert log.last == 2 * MAX_KEPT_LINES
    assert texts(log, 0, 1) == [(MAX_KEPT_LINES + 1, str(MAX_KEPT_LINES + 1))]
    assert texts(log, log.last - 1) == [(log.last, str(log.last))]


async def test_nothing_in_a_line_speaks_to_a_terminal() -> None:
    log = Log()
    await read_in(log, b"\x1b[31mred\x1b[0m \x1b]0;title\x07\xe2\x80\xaedone\r\n")
    assert texts(log) == [(1, "red done")]


async def test_growth_is_waited_for() -> None:
    log = Log()
    waiting = asyncio.create_task(log.grew(1))
    log.add("server", [b"one"])
    await asyncio.sleep(0)
    assert not waiting.done()
    log.add("server", [b"two"])
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(log.grew(1), 5)


async def test_news_are_heard_once_and_never_missed() -> None:
    news = News()
    news.happened()
    news.happened()
    await asyncio.wait_for(news.heard(), 5)
    waiting = asyncio.create_task(news.heard())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    news.happened()
    await asyncio.wait_for(news.heard(), 5)
