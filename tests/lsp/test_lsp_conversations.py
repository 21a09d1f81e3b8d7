"""forge.conversation.new, .switch and .show, and what a follow-up hears of changes by hand."""

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsp_wire import BARE, VS_CODE, Editor, editor

from forge_lsp.lsp.conversation_document import conversation_document
from forge_lsp.ports.conversations import ConversationRecord
from forge_lsp.ports.projects import ChangedFile, ProjectMessage
from forge_lsp.ports.store import RunRecord

EVENTS = {"events": True}
COUNTER = "src/Counter.tsx"
ASKING = copy.deepcopy(VS_CODE)
ASKING["window"]["showMessage"] = {"messageActionItem": {"additionalPropertiesSupport": True}}


async def of(client: Editor, command: str, **given: Any) -> dict[str, Any]:
    answer = await client.command(f"forge.conversation.{command}", given)
    assert "result" in answer, answer
    return answer["result"]


def written_at(uri: str) -> str:
    return Path(unquote(urlsplit(uri).path)).read_text()


async def generated(client: Editor, capabilities: dict[str, Any] = VS_CODE) -> dict[str, Any]:
    await client.initialize(capabilities, options=EVENTS)
    last = await client.run("forge.generate", {"prompt": "Create a counter\nwith two buttons"})
    assert last["outcome"] == "completed", (last, client.messages())
    return last


async def test_conversations_are_begun_listed_and_switched(client: Editor) -> None:
    await generated(client)
    first = await of(client, "switch")
    (only,) = first["conversations"]
    assert (only["title"], only["messages"], only["isCurrent"]) == ("Create a counter", 2, True)
    assert first["conversationId"] == only["conversationId"]

    second = (await of(client, "new"))["conversationId"]
    assert second.startswith("conv_")
    listed = (await of(client, "switch"))["conversations"]
    assert [(each["conversationId"], each["isCurrent"]) for each in listed] == [
        (second, True),
        (only["conversationId"], False),
    ]
    assert listed[0]["createdAt"] >= listed[1]["createdAt"]

    answer = await of(client, "switch", conversationId=only["conversationId"])
    assert answer == {"conversationId": only["conversationId"]}
    shown = await of(client, "show")
    assert shown["conversationId"] == only["conversationId"]


async def test_an_editor_that_can_asks_with_which_to_go_on(client: Editor) -> None:
    offered: list[list[str]] = []

    def choose(params: Any) -> Any:
        offered.append([action["title"] for action in params["actions"]])
        return params["actions"][-1]

    client.answers["window/showMessageRequest"] = choose
    await generated(client, ASKING)
    first = (await of(client, "switch"))["conversationId"]
    assert offered == [], "there is nothing to choose from"
    second = (await of(client, "new"))["conversationId"]
    chosen = await of(client, "switch")
    assert offered == [["1. (nothing said yet)", "2. Create a counter"]]
    assert chosen["conversationId"] == first != second
    client.answers["window/showMessageRequest"] = lambda params: None
    assert (await of(client, "switch"))["conversationId"] == first, "nobody chose"


async def test_a_conversation_is_shown_as_a_document(client: Editor) -> None:
    last = await generated(client)
    assert last["outcome"] == "completed"
    shown = await of(client, "show")
    (opened,) = client.requests("window/showDocument")[-1:]
    assert opened["uri"] == shown["uri"]
    text = written_at(shown["uri"])
    assert text == shown["markdown"]
    assert text.startswith("# Create a counter\n")
    assert "Create a counter\nwith two buttons\n" in text, "the whole prompt"
    assert "**completed**" in text
    assert re.search(r"- `src/Counter\.tsx` \+\d+ -0", text)
    assert re.search(r"[\d,]+ tokens · \$0\.0000 · `run_", text)
    assert "useState" not in text, "files are never repeated in it"


async def test_an_editor_that_opens_no_documents_is_told_where_it_is(
    workspace: Path, home: Path
) -> None:
    async with editor(workspace, home) as client:
        await generated(client, BARE)
        shown = await of(client, "show")
        place = unquote(urlsplit(shown["uri"]).path)
        await client.wait(lambda _: any(place in told for told in client.messages()))


async def test_a_cancelled_or_empty_conversation_is_shown_too(client: Editor) -> None:
    await client.initialize(options=EVENTS)
    begun = (await of(client, "new"))["conversationId"]
    shown = await of(client, "show", conversationId=begun)
    assert "without a prompt yet" in shown["markdown"]


@pytest.mark.parametrize("wrong", ["conv_none", "../../etc/passwd", "", "x\0y", "file:///app"])
async def test_a_conversation_that_is_not_there_is_refused(client: Editor, wrong: str) -> None:
    await client.initialize(options=EVENTS)
    for command in ("switch", "show"):
        answer = await client.command(f"forge.conversation.{command}", {"conversationId": wrong})
        assert "There is no conversation" in answer["error"]["message"]
    answer = await client.command("forge.conversation.new", {"title": "x"})
    assert "It takes one object like" in answer["error"]["message"]


async def test_a_follow_up_keeps_what_was_changed_by_hand(client: Editor, workspace: Path) -> None:
    await generated(client)
    await client.run("forge.review.accept")
    uri = client.open(COUNTER)
    mine = client.documents[uri].replace("export default", "// mine\nexport default", 1)
    client.type(uri, mine)
    last = await client.run(
        "forge.edit", {"prompt": "Add a reset button", "textDocument": {"uri": uri}}
    )
    assert last["outcome"] == "completed", (last, client.messages())
    await client.run("forge.review.accept")
    assert "// mine\nexport default" in client.documents[uri]
    assert "Reset" in client.documents[uri]


async def test_what_was_said_long_ago_is_summed_up(workspace: Path, home: Path) -> None:
    few = {"FORGE_GENERATION_RECENT_MESSAGES": "2"}
    async with editor(workspace, home, environment=few) as client:
        await generated(client)
        for prompt in ("What is it?", "And what else?"):
            last = await client.run("forge.generate", {"prompt": prompt})
            assert last["outcome"] == "completed", (last, client.messages())
        told = [each["message"] for each in client.events() if each["type"] == "stage"]
        assert told.count("Summing up the conversation so far...") == 1
        (listed,) = (await of(client, "switch"))["conversations"]
        assert listed["messages"] == 6


# The document, whatever is in it

CONVERSATION = ConversationRecord("conv_1", "file:///app", "owner", 0, 0, title="A page")
HOSTILE = (
    "~~~~\n# A heading\n<script>alert(1)</script>\n![x](https://evil.example/x.png)\n"
    "~~~~~~~~ text\n[link](javascript:x)\n\x1b[31m\0\u202e"
)


def document(*messages: ProjectMessage, title: str = "A page", **runs: RunRecord) -> str:
    record = ConversationRecord("conv_1", "file:///app", "owner", 0, 0, title=title)
    return conversation_document(record, messages, runs, is_cut=False)


def outside_of_fences(text: str) -> str:
    """As CommonMark reads it: a fence of tildes ends at a line of at least as many alone."""
    kept: list[str] = []
    fence = ""
    for line in text.splitlines():
        opening = re.match(r" {0,3}(~{3,})", line)
        if fence:
            if opening and len(opening[1]) >= len(fence) and not line.strip().strip("~"):
                fence = ""
        elif opening:
            fence = opening[1]
        else:
            kept.append(line)
    assert not fence, "a fence was left open"
    return "\n".join(kept)


def test_hostile_prompts_and_answers_stay_within_their_fences() -> None:
    said = [
        ProjectMessage("msg_1", "p", "user", HOSTILE, 0),
        ProjectMessage("msg_2", "p", "assistant", HOSTILE, 1, type="ERROR"),
        ProjectMessage("msg_3", "p", "assistant", "~" * 500 + "\nx", 1),
    ]
    text = document(*said)
    assert "<script>" in text
    left = outside_of_fences(text)
    for bad in ("heading", "script", "evil", "link"):
        assert bad not in left
    assert "**failed**" in left
    assert not set("\0\x1b\u202e") & set(text)


@given(st.text(st.sampled_from("~`\n #<a-"), max_size=60), st.text(max_size=60))
def test_nothing_that_is_said_becomes_a_part_of_the_document(said: str, title: str) -> None:
    message = ProjectMessage("msg_1", "p", "assistant", said, 0)
    left = outside_of_fences(document(message, title=title)).splitlines()
    assert left == outside_of_fences(document(replace(message, text="x"), title=title)).splitlines()
    assert sum(line.startswith("#") for line in left) == 1


def test_a_hostile_title_and_path_mean_nothing() -> None:
    title = "# <b>x</b> [a](http://evil) `y` ![z](q)\n## second"
    changed = (ChangedFile("a``b`[x](y)<i>.ts", 1, 0),)
    answer = ProjectMessage("msg_1", "p", "assistant", "x", 0, changed=changed)
    text = document(answer, title=title)
    head = text.splitlines()[0]
    assert head.startswith("# \\# \\<b\\>x")
    assert "\\[a\\]\\(http" in head
    assert "second" in head, "a title is one line"
    assert "- ```a``b`[x](y)<i>.ts``` +1 -0" in text


def test_what_is_huge_is_cut() -> None:
    files = tuple(ChangedFile(f"src/{number}.ts", 1, 0) for number in range(1_000))
    answer = ProjectMessage("msg_1", "p", "assistant", "x" * 1_000_000, 0, changed=files)
    text = document(answer, title="y" * 1_000_000)
    assert len(text) < 40_000
    assert "- 800 more" in text
    cut = conversation_document(CONVERSATION, [answer], {}, is_cut=True)
    assert "Earlier messages aren't shown." in cut


def test_outcome_cost_and_time_are_told() -> None:
    run = RunRecord("run_1", "edit", "", "p", "me", 1_000, 3_500, "cancelled", 9, 1_200, 34, 0.0123)
    asked = ProjectMessage("msg_1", "p", "user", "Make it", 1_700_000_000_000, run_id="run_1")
    answer = ProjectMessage("msg_2", "p", "assistant", "x", 1_700_000_000_001, run_id="run_1")
    text = document(asked, answer, run_1=run)
    assert "## 1. 2023-11-14 22:13 UTC" in text
    assert "**cancelled** · after 2.5 s · 1,234 tokens · $0.0123 · `run_1`" in text
