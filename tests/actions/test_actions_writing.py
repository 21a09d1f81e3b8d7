"""Replies that are cut off or don't fit: what is asked again, and what is given up."""

from pathlib import Path

import pytest
from action_world import DONE, a_world, edit, ending, file, of
from scripted import Reply

from forge_lsp import events
from forge_lsp.ports.model import StopReason
from forge_lsp.settings import GenerationSettings

LINES = [f"export const value{number} = {number};\n" for number in range(40)]
BODY = "".join(LINES)
WHOLE = file("src/values.ts", BODY) + DONE


def repeated(cut: str) -> str:
    """The last lines of what was said before the cut, as a continuation is told to begin."""
    return "".join(cut.splitlines(keepends=True)[-3:])


@pytest.mark.parametrize("stop", ["max_tokens", "cut", "end"])
@pytest.mark.parametrize("place", [300, 317, 555, 900])
async def test_a_reply_that_was_cut_is_joined_exactly(
    stop: StopReason, place: int, tmp_path: Path
) -> None:
    cut = WHOLE[:place]
    rest = repeated(cut) + WHOLE[place:]
    async with a_world(tmp_path, Reply(cut, stop=stop), rest) as world:
        said = await world.new()
        asked = world.model.asked[1].messages
    assert of(events.FileFinished, said) == [events.FileFinished("src/values.ts", BODY)]
    assert not of(events.FileDropped, said)
    assert ending(said) == events.RunFinished("completed")
    assert asked[-2].text == cut, "the model sees what it has said"
    assert "cut off" in asked[-1].text


async def test_a_continuation_in_a_fence_is_joined_too(tmp_path: Path) -> None:
    cut = WHOLE[:500]
    rest = f"```ts\n{repeated(cut)}{WHOLE[500:]}"
    async with a_world(tmp_path, Reply(cut, stop="max_tokens"), rest) as world:
        said = await world.new()
    assert of(events.FileFinished, said) == [events.FileFinished("src/values.ts", BODY)]


async def test_a_model_that_starts_anew_is_not_joined(tmp_path: Path) -> None:
    body = BODY * 5
    whole = file("src/values.ts", body) + DONE
    async with a_world(tmp_path, Reply(whole[:5_000], stop="max_tokens"), whole) as world:
        said = await world.new()
    assert of(events.FileFinished, said) == [events.FileFinished("src/values.ts", body)]
    assert [each.path for each in of(events.FileDropped, said)] == ["src/values.ts"]
    assert len(of(events.FileStarted, said)) == 2


async def test_a_reply_is_continued_only_so_often(tmp_path: Path) -> None:
    limits = GenerationSettings(max_continuations=2)
    cuts = [WHOLE[:300], WHOLE[:500], WHOLE[:700]]
    replies = [
        Reply(cuts[0], stop="max_tokens"),
        Reply(repeated(cuts[0]) + WHOLE[300:500], stop="max_tokens"),
        Reply(repeated(cuts[1]) + WHOLE[500:700], stop="max_tokens"),
    ]
    async with a_world(tmp_path, *replies, generation=limits) as world:
        said = await world.new()
        assert len(world.model.asked) == 3
    assert not of(events.FileFinished, said)
    (dropped,) = of(events.FileDropped, said)
    assert "the reply ended before the file did" in dropped.reason
    last = ending(said)
    assert (last.outcome, last.code) == ("truncated", "truncated")


async def test_a_reply_that_is_complete_is_not_continued_however_it_ended(tmp_path: Path) -> None:
    async with a_world(tmp_path, Reply(WHOLE, stop="max_tokens")) as world:
        said = await world.new()
    assert ending(said).outcome == "completed"


async def test_a_reply_that_only_forgets_its_end_mark_is_complete(tmp_path: Path) -> None:
    async with a_world(tmp_path, file("a.ts", "1\n")) as world:
        said = await world.new()
    assert ending(said).outcome == "completed"
    assert [each.path for each in of(events.FileFinished, said)] == ["a.ts"]


async def test_whole_files_before_the_cut_are_kept(tmp_path: Path) -> None:
    limits = GenerationSettings(max_continuations=0)
    reply = file("a.ts", "1\n") + '<file path="b.ts">\nhalf'
    async with a_world(tmp_path, Reply(reply, stop="cut"), generation=limits) as world:
        said = await world.new()
    assert [each.path for each in of(events.FileFinished, said)] == ["a.ts"]
    assert [each.path for each in of(events.FileDropped, said)] == ["b.ts"]
    assert ending(said).outcome == "truncated"
    assert "1 whole file(s) were kept" in ending(said).message


FILE = {"a.ts": b"const one = 1;\nconst two = 2;\n"}
MISFIT = edit("a.ts", "const three = 3;", "const three = 4;") + DONE
FIT = edit("a.ts", "const two = 2;", "const two = 22;") + DONE
FITTED = "const one = 1;\nconst two = 22;\n"


async def test_an_edit_that_doesnt_fit_is_asked_for_again(tmp_path: Path) -> None:
    async with a_world(tmp_path, MISFIT, FIT) as world:
        said = await world.edit(FILE)
        again = world.model.asked[1].messages
    assert [each.content for each in of(events.FileFinished, said)] == [FITTED]
    assert not of(events.FileDropped, said)
    assert not of(events.Problem, said)
    assert again[-2].text == MISFIT
    assert "const three = 3;" in again[-1].text
    assert ending(said).outcome == "completed"


async def test_then_the_whole_file_is_asked_for(tmp_path: Path) -> None:
    async with a_world(tmp_path, MISFIT, MISFIT, file("a.ts", FITTED) + DONE) as world:
        said = await world.edit(FILE)
        assert "Write the whole file" in world.model.asked[2].messages[-1].text
    assert [each.content for each in of(events.FileFinished, said)] == [FITTED]
    assert ending(said).outcome == "completed"


async def test_then_it_is_given_up_with_a_problem(tmp_path: Path) -> None:
    other = file("b.ts", "fine\n")
    async with a_world(tmp_path, other + MISFIT, MISFIT, MISFIT) as world:
        said = await world.edit(FILE)
        assert len(world.model.asked) == 3
    assert [each.path for each in of(events.FileFinished, said)] == ["b.ts"]
    assert [(each.code, each.path) for each in of(events.Problem, said)] == [
        ("edit_unmatched", "a.ts")
    ]
    assert [each.path for each in of(events.FileDropped, said)] == ["a.ts"]
    assert ending(said).outcome == "completed"


async def test_a_file_with_code_left_out_is_asked_for_whole(tmp_path: Path) -> None:
    lazy = file("a.ts", "const one = 11;\n// ... rest of the code stays the same\n") + DONE
    full = "const one = 11;\nconst two = 2;\n"
    async with a_world(tmp_path, lazy, file("a.ts", full) + DONE) as world:
        said = await world.edit(FILE)
    assert [each.content for each in of(events.FileFinished, said)] == [full]


async def test_an_edit_of_a_file_that_has_markers_of_its_own_is_asked_for_whole(
    tmp_path: Path,
) -> None:
    marked = {"a.md": b"one\n=======\ntwo\n"}
    whole = file("a.md", "one\n=======\nthree\n") + DONE
    async with a_world(tmp_path, edit("a.md", "two", "three") + DONE, whole) as world:
        said = await world.edit(marked)
    assert [each.content for each in of(events.FileFinished, said)] == ["one\n=======\nthree\n"]


async def test_a_refusal_is_not_argued_with(tmp_path: Path) -> None:
    async with a_world(tmp_path, Reply(MISFIT, stop="refusal")) as world:
        said = await world.edit(FILE)
        assert len(world.model.asked) == 1
    assert [each.path for each in of(events.FileDropped, said)] == ["a.ts"]
    assert ending(said).outcome == "refused"


async def test_two_edits_of_a_file_add_up(tmp_path: Path) -> None:
    reply = edit("a.ts", "const one = 1;", "const one = 11;") + FIT
    async with a_world(tmp_path, reply) as world:
        said = await world.edit(FILE)
    last = of(events.FileFinished, said)[-1]
    assert last.content == "const one = 11;\nconst two = 22;\n"
    assert len(last.hunks) == 1
