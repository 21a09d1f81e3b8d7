"""The tail of what a hostile program writes."""

import asyncio

import pytest

from forge_lsp.sandbox.output import MAX_LINE_CHARACTERS, MAX_LINES, Screen, Tail


async def tail_of(*pieces: bytes) -> str:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    tail = Tail()
    await tail.read(reader)
    return tail.text


async def test_only_the_last_lines_are_kept() -> None:
    text = await tail_of(*(f"line {each}\n".encode() for each in range(1000)))
    lines = text.splitlines()
    assert len(lines) == MAX_LINES
    assert lines[-1] == "line 999"


async def test_a_line_without_an_end_stays_bounded() -> None:
    assert len(await tail_of(b"x" * 10_000_000)) <= MAX_LINE_CHARACTERS


@pytest.mark.parametrize(
    "piece", [b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07red", b"red\x00\x07\x7f"]
)
async def test_nothing_in_it_speaks_to_a_terminal(piece: bytes) -> None:
    text = await tail_of(piece)
    assert text.endswith("red")
    assert text.isprintable()


async def test_a_program_that_floods_its_output_leaves_time_for_others() -> None:
    reader = asyncio.StreamReader()
    reading = asyncio.create_task(Tail().read(reader))
    turns = 0
    for _ in range(50):
        reader.feed_data(b"\n" * 65536)
        await asyncio.sleep(0)
        turns += not reading.done()
    reader.feed_eof()
    before = asyncio.get_running_loop().time()
    await reading
    assert turns == 50
    assert asyncio.get_running_loop().time() - before > 0.3


async def test_a_line_cut_in_the_middle_is_one_line() -> None:
    assert await tail_of(b"caf", b"\xc3", b"\xa9\nnext") == "café\nnext"


def on_screen(printed: bytes, size: int) -> str:
    screen = Screen()
    pieces = [printed[at : at + size] for at in range(0, len(printed), size)]
    return "".join([*map(screen.feed, pieces), screen.end()])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[1;31mred\x1b[0m caf\xc3\xa9 \xf0\x9f\x99\x82\n", "red caf\u00e9 \U0001f642\n"),
        (b"\x1b]0;a title\x07shown \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "shown link\n"),
        (b"10%\r20%\r\n", "10%\n20%\n"),
        (b"\x1b(Bplain\x1b7\x1b=x", "plainx"),
        (b"cut \xe2\x82", "cut \ufffd"),
        (b"open \x1b[3", "open "),
        (b"around \xe2\x80\xaetxt.exe", "around txt.exe"),
    ],
)
def test_what_is_streamed_is_the_same_text_in_any_pieces(
    printed: bytes, text: str, size: int
) -> None:
    assert on_screen(printed, size) == text


def test_a_sequence_that_never_ends_is_not_held_for_ever() -> None:
    screen = Screen()
    for _ in range(1000):
        screen.feed(b"\x1b]0;" + b"x" * 1000)
    assert len(screen._held) < 10_000
