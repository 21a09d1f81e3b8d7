from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reply_reading import cut, files, read

from forge_lsp.generation.reply import (
    BodyStarted,
    Draft,
    Dropped,
    Prose,
    ReplyEvent,
    WholeFile,
)
from forge_lsp.paths import ProjectPath

APP = ProjectPath.parse("src/App.tsx")
REPLIES = Path(__file__).parent.parent / "fixtures" / "replies"
COUNTER = "src/Counter.tsx"

EXPECTED = {
    "0.5b-counter-0.txt": [COUNTER],
    "0.5b-counter-2.txt": [COUNTER],
    "0.5b-counter-4.txt": [COUNTER],
    "0.5b-counter-6.txt": [COUNTER],
    "0.5b-counter-8.txt": [COUNTER],
    "0.5b-multi-0.txt": ["src/App.tsx"],
    "0.5b-multi-2.txt": ["src/App.tsx"],
    "0.5b-multi-4.txt": ["src/App.tsx", "src/components/TodoItem.tsx", "src/types.ts"],
    # A fence whose first line is a comment with the path.
    "1.5b-counter-0.txt": [COUNTER],
    # Fences that name nothing.
    "1.5b-counter-2.txt": [],
    "1.5b-counter-4.txt": [],
    "1.5b-sys-counter-4.txt": [],
    # A fence whose first line is a tag without its `<`, and without a closing tag.
    "1.5b-sys-counter-0.txt": [COUNTER],
    # A fence around a whole file tag.
    "1.5b-sys-counter-2.txt": [COUNTER],
    # Fences with comments of HTML in TypeScript.
    "1.5b-sys-multi-0.txt": [
        "src/App.tsx",
        "src/components/TodoItem.tsx",
        "src/types.ts",
        "src/App.css",
    ],
}


def test_each_recorded_reply_has_an_expectation() -> None:
    assert {path.name for path in REPLIES.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize(("name", "paths"), EXPECTED.items())
def test_a_recorded_reply_gives_every_file_that_it_names(name: str, paths: list[str]) -> None:
    events = files((REPLIES / name).read_text())
    whole = [event for event in events if isinstance(event, WholeFile)]
    dropped = [event for event in events if isinstance(event, Dropped)]
    assert [event.path for event in whole] == paths
    assert len(dropped) == (0 if paths else 1)
    for event in whole:
        assert "export" in event.content or event.path.endswith(".css")
        assert "```" not in event.content
        assert "<!--" not in event.content
        assert "file path=" not in event.content
        assert "</file>" not in event.content


@pytest.mark.parametrize("name", EXPECTED)
@given(data=st.data())
def test_a_recorded_reply_cut_anywhere_gives_the_same(name: str, data: st.DataObject) -> None:
    reply = (REPLIES / name).read_text()
    places = data.draw(st.lists(st.integers(0, len(reply)), max_size=8))
    assert read(*cut(reply, places)) == read(reply)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_reply_that_breaks_off_gives_no_half_file(name: str) -> None:
    reply = (REPLIES / name).read_text()
    whole = {event for event in files(reply) if isinstance(event, WholeFile)}
    for end in range(0, len(reply), 7):
        part = {event for event in files(reply[:end]) if isinstance(event, WholeFile)}
        assert part <= whole


WHOLE: list[ReplyEvent] = [BodyStarted(APP, "create"), WholeFile(APP, "a\n")]


@pytest.mark.parametrize(
    "head",
    [
        "```tsx src/App.tsx\n",
        "```tsx:src/App.tsx\n",
        "```src/App.tsx\n",
        '```tsx title="src/App.tsx"\n',
        "```tsx filename=src/App.tsx {1,2}\n",
        "````tsx ./src/App.tsx\n",
        "**src/App.tsx**\n```tsx\n",
        "`src/App.tsx`:\n\n```tsx\n",
        "### src/App.tsx\n```tsx\n",
        "### 1. `src/App.tsx`\n```tsx\n",
        "1. **src/App.tsx**\n```tsx\n",
        "File: `src/App.tsx`\n```tsx\n",
        "**File:** src/App.tsx\n```tsx\n",
        "src/App.tsx\n```tsx src/App.tsx\n",
        '```tsx\nfile path="src/App.tsx">\n',
        "```tsx\n<!-- src/App.tsx -->\n",
        "```tsx\n{/* file: src/App.tsx */}\n",
    ],
)
def test_a_code_block_that_names_its_path_is_a_file(head: str) -> None:
    mark = "````" if head.startswith("````") else "```"
    assert files(f"Sure:\n\n{head}a\n{mark}\nBye.\n") == WHOLE


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("src/App.tsx", "// src/App.tsx"),
        ("src/App.tsx", "/* src/App.tsx */"),
        ("src/App.css", "/* file: src/App.css */"),
        ("index.html", "<!-- index.html -->"),
        ("vite.config.ts", "// vite.config.ts"),
    ],
)
def test_a_comment_that_names_the_file_stays_in_it(path: str, line: str) -> None:
    assert files(f"```x\n{line}\na\n```")[-1] == WholeFile(ProjectPath.parse(path), f"{line}\na\n")


def test_a_comment_that_the_language_lacks_does_not_stay() -> None:
    assert files("```json\n// package.json\n{}\n```")[-1] == WholeFile(
        ProjectPath.parse("package.json"), "{}\n"
    )


@pytest.mark.parametrize(
    "reply",
    [
        "```tsx\na\n```",
        "Here is src/App.tsx with a counter\n```tsx\na\n```",
        "**App.tsx**\n```tsx\na\n```",
        "src/App.tsx\n\n\n```tsx\na\n```",
        "src/App.tsx\nas follows\n```tsx\na\n```",
        "src/App.tsx\n```tsx\n// src/Other.tsx\na\n```",
        "```tsx src/../../App.tsx\na\n```",
        "```tsx /src/App.tsx\na\n```",
        "```js .git/hooks/x.js\na\n```",
        "```tsx src/App.tsx\n```",
        "```md docs/README.md\na\n```",
        "```tsx src/App.tsx\na\n```\n```tsx src/App.tsx\nb\n```",
    ],
)
def test_a_code_block_that_leaves_doubt_is_dropped(reply: str) -> None:
    events = files(reply)
    assert events
    assert all(isinstance(event, Dropped) for event in events)


def test_the_same_code_block_twice_is_one_file() -> None:
    assert files("```tsx src/App.tsx\na\n```\n```tsx src/App.tsx\na\n```") == WHOLE


def test_commands_are_no_files() -> None:
    assert files("Run:\n```bash\nnpm install\n```\n") == []


def test_a_code_block_that_is_left_open_is_a_draft() -> None:
    assert files("```tsx src/App.tsx\na\nb") == [Draft(APP, "a\nb")]


def test_code_blocks_are_only_talk_where_the_reply_has_a_tagged_file() -> None:
    reply = '```tsx src/Other.tsx\nb\n```\n<file path="src/App.tsx">\na\n</file>\n'
    assert files(reply) == WHOLE


def test_code_blocks_are_shown_as_prose_too() -> None:
    assert read("```tsx src/App.tsx\na\n```")[0] == Prose("```tsx src/App.tsx\na\n```")


def test_a_fence_of_four_may_hold_a_fence_of_three() -> None:
    events = files("````md README.md\n```sh\nls\n```\n````\n")
    assert events[-1] == WholeFile(ProjectPath.parse("README.md"), "```sh\nls\n```\n")
