import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reply_reading import cut, files, joined, read

from forge_lsp.generation.parser import ReplyParser
from forge_lsp.generation.reply import (
    BodyPiece,
    BodyStarted,
    Deletion,
    Draft,
    Dropped,
    EditBlocks,
    PackageTag,
    Prose,
    Rename,
    ReplyEnded,
    ReplyEvent,
    SearchReplace,
    WholeFile,
)
from forge_lsp.paths import ProjectPath

APP = ProjectPath.parse("src/App.tsx")
B = ProjectPath.parse("src/b.ts")

FRAGMENTS = [
    '<file path="src/App.tsx">',
    "<file path='src/b.ts'>",
    "< file path = src/b.ts >",
    '<file path="../b">',
    '<file path="src/b.ts"',
    '<file path="src/b.ts"/>',
    "<file>",
    "</file>",
    "< / file >",
    '<edit path="src/App.tsx">',
    "</edit>",
    "<<<<<<< SEARCH",
    "=======",
    ">>>>>>> REPLACE",
    '<delete path="a.ts"/>',
    '<rename from="a.ts" to="b.ts"/>',
    '<package name="react"/>',
    "<done/>",
    "```",
    "```tsx",
    "```tsx src/App.tsx",
    "// src/App.tsx",
    "**src/App.tsx**",
    "<div>",
    "<",
    "`",
    "``",
    "const a = 1;",
    "&lt;",
    " ",
    "\r",
    "\u2028",
    "\n",
    "\n",
    "\n",
]
replies = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=40).map("".join)


@settings(max_examples=500)
@given(replies, st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_gives_the_same_events(reply: str, places: list[int]) -> None:
    assert read(*cut(reply, places)) == read(reply) == read(*reply)


@settings(max_examples=300)
@given(replies)
def test_every_opened_body_is_closed_once_and_pieces_come_only_in_between(reply: str) -> None:
    is_open: ProjectPath | None = None
    for event in read(reply):
        match event:
            case BodyStarted(path):
                assert is_open is None
                is_open = path
            case BodyPiece(path):
                assert path == is_open
            case WholeFile(path) | EditBlocks(path):
                assert path == is_open
                is_open = None
            case Draft(path) | Dropped(path):
                is_open = None if path == is_open else is_open
            case _:
                pass
    assert is_open is None


@given(st.text())
def test_any_text_without_a_tag_is_prose(text: str) -> None:
    if "`" not in text and "<" not in text and "~" not in text:
        assert read(text) == ([Prose(text)] if text else [])


def test_a_file_is_given_live_and_then_whole() -> None:
    reply = 'Here it is.\n<file path="src/App.tsx">\nconst a = 1;\n\n</file>\nDone.\n<done/>\n'
    assert read(reply) == [
        Prose("Here it is.\n"),
        BodyStarted(APP, "create"),
        BodyPiece(APP, "const a = 1;\n\n"),
        WholeFile(APP, "const a = 1;\n\n"),
        Prose("Done.\n"),
        ReplyEnded(),
    ]


def test_text_passes_before_its_line_ends() -> None:
    parser = ReplyParser()
    assert parser.feed("Hel") == [Prose("Hel")]
    assert parser.feed("lo <file") == [Prose("lo <file")]
    parser.feed('\n<file path="src/App.tsx">\n')
    assert parser.feed("con") == [BodyPiece(APP, "con")]
    assert parser.feed("st a\n<d") == [BodyPiece(APP, "st a\n")]
    assert parser.feed("iv>") == [BodyPiece(APP, "<div>")]


def test_no_piece_holds_the_beginning_of_a_closing_tag() -> None:
    parser = ReplyParser()
    shown = [
        event.text
        for character in '<file path="src/App.tsx">\na\n</file>\n'
        for event in parser.feed(character)
        if isinstance(event, BodyPiece)
    ]
    assert "".join(shown) == "a\n"


@pytest.mark.parametrize(
    "tag",
    [
        "<file path='src/App.tsx'>",
        "<file path=src/App.tsx>",
        '< file path = "src/App.tsx" >',
        '<file path="./src/App.tsx">',
        '<file lang="tsx" path="src/App.tsx">',
        '<file name="src/App.tsx">',
        '<file path="src/App.tsx"',
        '<file path="src/App.tsx">  ',
        '<file path="src/App.tsx">\r',
    ],
)
def test_a_tag_may_be_written_carelessly(tag: str) -> None:
    assert files(f"{tag}\na\n</file>") == [BodyStarted(APP, "create"), WholeFile(APP, "a\n")]


@pytest.mark.parametrize("tag", ["</file>", "< /file>", "</ file >", "</file>  ", "</file>\r"])
def test_a_closing_tag_may_be_written_carelessly(tag: str) -> None:
    assert files(f'<file path="src/App.tsx">\na\n{tag}\n')[1:] == [WholeFile(APP, "a\n")]


def test_a_file_may_stand_on_one_line() -> None:
    assert files('<file path="src/b.ts"></file>\n')[1:] == [WholeFile(B, "")]
    assert files('<file path="src/b.ts">export {}</file>\n')[1:] == [WholeFile(B, "export {}")]


def test_a_body_may_begin_behind_its_tag() -> None:
    assert files('<file path="src/b.ts">export {}\n</file>\n')[1:] == [WholeFile(B, "export {}\n")]


@pytest.mark.parametrize(
    "line",
    [
        " </file>",
        "x</file>",
        "</file> and",
        "</files>",
        "</edit>",
        "<done/>",
        "<file>",
        " <file path='src/b.ts'>",
    ],
)
def test_a_tag_elsewhere_than_alone_at_a_line_start_is_content(line: str) -> None:
    content = f"a\n{line}\nb\n"
    assert files(f'<file path="src/App.tsx">\n{content}</file>')[1:] == [WholeFile(APP, content)]


def test_entities_are_never_unescaped() -> None:
    content = "<p>a &lt; b &amp;&amp; c</p>\n"
    assert files(f'<file path="src/App.tsx">\n{content}</file>')[1:] == [WholeFile(APP, content)]


def test_line_ends_and_odd_separators_are_kept() -> None:
    content = "a\r\nb\u2028c\x0cd\re\r\n"
    assert files(f'<file path="src/App.tsx">\r\n{content}</file>\r\n')[1:] == [
        WholeFile(APP, content)
    ]


@pytest.mark.parametrize(
    ("path", "body", "content"),
    [
        ("src/App.tsx", "```tsx\na\n```\n", "a\n"),
        ("src/App.tsx", "\n```tsx\na\n```\n\n", "a\n"),
        ("src/App.tsx", "```\na\n```\n", "a\n"),
        ("src/App.tsx", "a\n```\n", "a\n"),
        ("src/App.tsx", "a\n```\nb\n", "a\n```\nb\n"),
        ("README.md", "# T\n```sh\nls\n```\n", "# T\n```sh\nls\n```\n"),
        ("README.md", "```sh\nls\n```\ntext\n```\n", "```sh\nls\n```\ntext\n```\n"),
        ("README.md", "```md\n# T\n```\n", "# T\n"),
        ("notes.txt", "```\na\n```\n", "a\n"),
        ("notes.txt", "a\n```\n", "a\n```\n"),
    ],
)
def test_a_code_fence_around_a_body_is_left_out(path: str, body: str, content: str) -> None:
    events = read(f'<file path="{path}">\n{body}</file>\n')
    assert events[-1] == WholeFile(ProjectPath.parse(path), content)
    assert "".join(event.text for event in events if isinstance(event, BodyPiece)).strip() == (
        content.strip()
    )


def test_a_code_fence_around_a_whole_file_tag_is_no_prose() -> None:
    reply = 'Hi.\n```tsx\n<file path="src/App.tsx">\na\n</file>\n```\nBye.\n'
    assert read(reply) == [
        Prose("Hi.\n"),
        BodyStarted(APP, "create"),
        BodyPiece(APP, "a\n"),
        WholeFile(APP, "a\n"),
        Prose("Bye.\n"),
    ]


def test_a_fence_that_ends_before_the_file_does_is_left_out() -> None:
    assert files('```tsx\n<file path="src/App.tsx">\na\n```\n</file>\n')[1:] == [
        WholeFile(APP, "a\n")
    ]


def test_a_file_in_a_code_block_ends_with_it_where_nothing_but_another_file_follows() -> None:
    one = '```tsx\n<file path="src/App.tsx">\na\n```\n'
    assert files(one)[1:] == [WholeFile(APP, "a\n")]
    assert files(f'{one}\n```ts\n<file path="src/b.ts">\nb\n```')[1:] == [
        WholeFile(APP, "a\n"),
        BodyStarted(B, "create"),
        WholeFile(B, "b\n"),
    ]
    assert isinstance(files(f"{one}Some words.\n")[-1], Draft)


def test_a_file_that_is_not_closed_before_the_next_is_dropped() -> None:
    reply = '<file path="src/App.tsx">\na\n<file path="src/b.ts">\nb\n</file>\n'
    assert files(reply) == [
        BodyStarted(APP, "create"),
        Dropped(APP, "another file begins before it is closed"),
        BodyStarted(B, "create"),
        WholeFile(B, "b\n"),
    ]


def test_a_file_that_the_reply_leaves_open_is_a_draft() -> None:
    assert read('<file path="src/App.tsx">\nconst a')[-1] == Draft(APP, "const a", "create")
    assert read('<edit path="src/b.ts">\n<<<<<<< SEARCH\na\n')[-1] == (
        Draft(B, "<<<<<<< SEARCH\na\n", "edit")
    )


def test_a_file_that_comes_twice_counts_once() -> None:
    one = '<file path="src/App.tsx">\na\n</file>\n'
    events = files(one + one.replace("a\n", "b\n", 1))
    assert events[:2] == [BodyStarted(APP, "create"), WholeFile(APP, "a\n")]
    assert [type(event) for event in events[2:]] == [Dropped]


@pytest.mark.parametrize(
    "path", ["../x.ts", "/etc/passwd", ".git/config", "a\\b.ts", "node_modules/x.js", ".env", "con"]
)
def test_a_refused_path_is_dropped_with_all_that_is_written_for_it(path: str) -> None:
    for tag in (f'<file path="{path}">\nx\n</file>\n', f'<edit path="{path}">\nx\n</edit>\n'):
        events = read(f'{tag}<file path="src/b.ts">\nb\n</file>\n')
        assert isinstance(events[0], Dropped)
        assert events[0].path == path
        assert events[0].reason.startswith("its path is refused: ")
        assert events[1:] == [BodyStarted(B, "create"), BodyPiece(B, "b\n"), WholeFile(B, "b\n")]
    (dropped,) = read(f'<delete path="{path}"/>\n')
    assert isinstance(dropped, Dropped)


@pytest.mark.parametrize("tag", ["<file>", '<file title="x">', '<file path="">', "<edit>"])
def test_a_tag_without_a_path_takes_its_body_with_it(tag: str) -> None:
    closing = "</edit>" if "edit" in tag else "</file>"
    (dropped,) = read(f"{tag}\nx\n{closing}\n")
    assert dropped == Dropped("", "a tag doesn't say which file it is for")


def test_tags_without_a_body_may_share_a_line() -> None:
    assert read(
        '<delete path="src/b.ts"/> <rename from="a.ts" to="src/App.tsx"></rename>\n'
        '<package name="@scope/a@^1.2"/><done>\n'
    ) == [
        Deletion(B),
        Rename(ProjectPath.parse("a.ts"), APP),
        PackageTag("@scope/a@^1.2"),
        ReplyEnded(),
    ]


@pytest.mark.parametrize("name", ["", "../x", "a b", "git+ssh://x", "a@file:../x", "A", "-g;rm"])
def test_a_package_that_npm_would_not_take_is_dropped(name: str) -> None:
    (dropped,) = read(f'<package name="{name}"/>\n')
    assert isinstance(dropped, Dropped)


def test_a_line_with_a_tag_and_words_is_prose() -> None:
    for line in ('<delete path="a.ts"/> is next', "I close with <done/>", "<donee/>", "<filepath>"):
        assert read(line) == [Prose(line)]


EDIT = """<edit path="src/App.tsx">
First:
<<<<<<< SEARCH
a

=======
b
>>>>>>> REPLACE

<<<<<<< SEARCH
=======
c
>>>>>>> REPLACE
</edit>
"""


def test_an_edit_gives_its_blocks() -> None:
    assert read(EDIT) == [
        BodyStarted(APP, "edit"),
        EditBlocks(APP, (SearchReplace("a\n\n", "b\n"), SearchReplace("", "c\n"))),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "const a = 1;\n",
        "<<<<<<< SEARCH\na\n",
        "<<<<<<< SEARCH\na\n=======\nb\n",
        "<<<<<<< SEARCH\na\n>>>>>>> REPLACE\n",
        "<<<<<<< SEARCH\na\n=======\nb\n=======\nc\n>>>>>>> REPLACE\n",
        "<<<<<<< SEARCH\na\n<<<<<<< SEARCH\nb\n=======\nc\n>>>>>>> REPLACE\n",
        "=======\nb\n>>>>>>> REPLACE\n",
        "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n" * 501,
    ],
)
def test_an_edit_with_unclear_blocks_is_dropped_whole(body: str) -> None:
    events = files(f'<edit path="src/App.tsx">\n{body}</edit>\n')
    assert [type(event) for event in events] == [BodyStarted, Dropped]


def test_a_file_may_be_edited_twice() -> None:
    assert [type(event) for event in files(EDIT + EDIT)].count(EditBlocks) == 2


def test_finishing_twice_gives_nothing_new() -> None:
    parser = ReplyParser()
    parser.feed('<file path="src/App.tsx">\na')
    assert len(parser.finish()) == 1
    assert parser.finish() == []


def cost(reply: str, size: int) -> float:
    parser = ReplyParser()
    events: list[ReplyEvent] = []
    started = time.process_time()
    for place in range(0, len(reply), size):
        events = parser.feed(reply[place : place + size])
    parser.finish()
    del events
    return time.process_time() - started


HEAD = '<file path="src/App.tsx">\n'


@pytest.mark.parametrize(
    "hostile",
    [
        HEAD + "const a = 1;\n" * 8,
        HEAD + "```\n\n\n\n\n\n",
        HEAD + " " * 100,
        HEAD + "<file ",
        HEAD + "</file\n",
        HEAD + "<" + "f" * 90 + "\n",
        HEAD + "<file path='" + "a=" * 50 + "\n",
        "```\n",
        "`" * 100,
        "<delete path='a'/>",
        "\n",
        "**a/b.c**\n\n",
        HEAD + "\r" * 100,
    ],
)
def test_a_reply_ten_times_as_long_costs_about_ten_times_as_much(hostile: str) -> None:
    head = HEAD if hostile.startswith(HEAD) else ""
    unit = hostile.removeprefix(HEAD)
    small = head + unit * (30_000 // len(unit))
    large = head + unit * (300_000 // len(unit))
    base = min(cost(small, 4) for _ in range(3))
    # A quadratic parser would need a hundred times as much.
    assert min(cost(large, 4) for _ in range(2)) < 40 * base + 0.1


def test_joining_keeps_the_order() -> None:
    assert joined([Prose("a"), Prose("b"), ReplyEnded(), Prose("c")]) == [
        Prose("ab"),
        ReplyEnded(),
        Prose("c"),
    ]
