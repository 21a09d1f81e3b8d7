"""forge.skill.run and forge.augmenter.run with the demo model; a line with BROKEN is wrong."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest_asyncio
from lsp_wire import BARE, Editor, editor
from sandbox_line import SandboxLine

EVENTS = {"events": True}
HINT = 4
INDEX = """\
<!doctype html>
<html lang="en">
  <head>
    <meta name="viewport" content="width=device-width, initial-scale=1.0" />
    <title>App</title>
  </head>
  <body>
    <div id="root"></div>
  </body>
</html>
"""
SKILL = '+++\ntitle = "Tone"\ndescription = "Listens."\nkind = "critique"\n+++\nListen.\n'


@pytest_asyncio.fixture
async def line() -> SandboxLine:
    return SandboxLine()


@pytest_asyncio.fixture
async def counter(workspace: Path, home: Path, line: SandboxLine) -> AsyncIterator[Editor]:
    """An editor in whose workspace the demo model's counter stands."""
    async with editor(workspace, home, environment=line.environment) as client:
        await client.initialize(options=EVENTS)
        await client.run("forge.generate", {"prompt": "Create a counter"})
        await client.run("forge.review.accept")
        yield client


def marks(client: Editor, uri: str) -> list[dict[str, Any]]:
    published = client.requests("textDocument/publishDiagnostics")
    mine = [each["diagnostics"] for each in published if each["uri"] == uri]
    return mine[-1] if mine else []


def hints(client: Editor, uri: str) -> list[dict[str, Any]]:
    return [each for each in marks(client, uri) if each["severity"] == HINT]


def read(uri: str) -> str:
    return Path(unquote(urlsplit(uri).path)).read_text()


async def critique(client: Editor, alias: str, **more: Any) -> str:
    """Run a critique; gives the text of the document that is opened."""
    before = len(client.requests("window/showDocument"))
    last = await client.run("forge.skill.run", {"alias": alias, **more})
    assert last["outcome"] == "completed", (last, client.messages())
    await client.wait(lambda _: len(client.requests("window/showDocument")) > before)
    shown = client.requests("window/showDocument")[-1]
    assert not shown["takeFocus"], "the person may be typing elsewhere by now"
    assert not shown["external"]
    assert shown["uri"].endswith(f"/{alias}.md")
    return read(shown["uri"])


async def test_a_critique_is_opened_as_a_document_and_marked_on_its_lines(
    counter: Editor, workspace: Path, home: Path
) -> None:
    uri = counter.open("src/Counter.tsx")
    text = await critique(counter, "review", textDocument={"uri": uri})
    assert text.startswith("# Code review\n\nThis is the demo model")
    assert "<insight" not in text
    lines = counter.documents[uri].splitlines()
    number = next(n for n, each in enumerate(lines, 1) if "useState(0)" in each)
    assert f"[src/Counter.tsx:{number}]({uri}#L{number})" in text
    await counter.wait(lambda _: len(hints(counter, uri)) == 2)
    kept, _ = hints(counter, uri)
    assert (kept["source"], kept["code"]) == ("forge", "design")
    assert kept["message"].startswith("The count is gone after a reload\nWhere it should stay")
    assert kept["range"]["start"] == {"line": number - 1, "character": 2}
    assert kept["range"]["end"]["character"] == len(lines[number - 1])
    place = unquote(urlsplit(counter.requests("window/showDocument")[-1]["uri"]).path)
    assert Path(place).is_relative_to(home / "cache" / "skills")


async def test_all_skills_are_listed_with_those_of_the_workspace(
    counter: Editor, workspace: Path
) -> None:
    place = workspace / ".forge/skills/tone.md"
    place.parent.mkdir(parents=True)
    place.write_text(SKILL)
    listed = (await counter.command("forge.skills"))["result"]
    by_alias = {each["alias"]: each for each in listed}
    assert list(by_alias) == sorted(by_alias)
    assert by_alias["review"]["kind"] == "critique"
    assert by_alias["seo"]["kind"] == "augmenter"
    assert by_alias["tone"]["title"] == "Tone"
    assert by_alias["tone"]["origin"] == "workspace"


async def test_the_text_streams_to_a_client_that_takes_events(counter: Editor) -> None:
    answer = await counter.command("forge.skill.run", {"alias": "copy"})
    run_id = answer["result"]["runId"]
    await counter.wait_for_end(run_id)
    types = [each["type"] for each in counter.events(run_id)]
    assert types.index("text_delta") < types.index("insight")
    assert "usage" in types


async def test_a_mark_moves_with_its_line_and_goes_with_it(counter: Editor) -> None:
    uri = counter.open("src/Counter.tsx")
    await critique(counter, "review")
    await counter.wait(lambda _: len(hints(counter, uri)) == 2)
    first, second = (each["range"]["start"]["line"] for each in hints(counter, uri))
    counter.type(uri, f"// One more line.\n{counter.documents[uri]}")
    await counter.wait(
        lambda _: (
            [e["range"]["start"]["line"] for e in hints(counter, uri)] == [first + 1, second + 1]
        )
    )
    counter.type(uri, counter.documents[uri].replace("useState(0)", "useState(5)"))
    await counter.wait(
        lambda _: [each["range"]["start"]["line"] for each in hints(counter, uri)] == [second + 1]
    )
    counter.type(uri, counter.documents[uri].replace("useState(5)", "useState(0)"))
    await critique(counter, "review")
    await counter.wait(lambda _: len(hints(counter, uri)) == 2)


async def test_a_skill_that_runs_again_takes_its_own_marks_away_alone(counter: Editor) -> None:
    uri = counter.open("src/Counter.tsx")
    await critique(counter, "review")
    await critique(counter, "copy")
    await counter.wait(lambda _: len(hints(counter, uri)) == 4)
    await critique(counter, "copy")
    assert sorted(each["code"] for each in hints(counter, uri)) == [
        "clarity",
        "clarity",
        "design",
        "risk",
    ]


async def test_hints_and_the_previews_errors_stand_side_by_side(counter: Editor) -> None:
    uri = counter.open("src/Counter.tsx")
    await critique(counter, "review")
    await counter.wait(lambda _: len(hints(counter, uri)) == 2)
    good = counter.documents[uri]
    counter.type(uri, f"{good}// BROKEN\n")
    counter.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    await counter.wait(lambda _: sorted(e["severity"] for e in marks(counter, uri)) == [1, 4, 4])
    counter.type(uri, good)
    counter.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
    await counter.wait(lambda _: [each["severity"] for each in marks(counter, uri)] == [4, 4])


async def test_a_selection_is_what_is_looked_at(counter: Editor) -> None:
    uri = counter.open("src/Counter.tsx")
    place = {"start": {"line": 0, "character": 0}, "end": {"line": 2, "character": 0}}
    await critique(counter, "explain", textDocument={"uri": uri}, range=place, args={"for": "us"})


async def test_without_a_name_the_names_are_listed_with_custom_ones_marked(
    client: Editor, workspace: Path
) -> None:
    folder = workspace / ".forge" / "skills"
    folder.mkdir(parents=True)
    (folder / "tone.md").write_text(SKILL)
    (folder / "review.md").write_text(SKILL)
    await client.initialize()
    told = (await client.command("forge.skill.run"))["error"]["message"]
    assert "explain, performance, review" in told
    assert "tone (custom)" in told
    assert "seo" not in told
    assert "The skill .forge/skills/review.md isn't used: that name is built in." in told
    told = (await client.command("forge.augmenter.run", {}))["error"]["message"]
    assert "a11y, auth, geo, marketing, payments, perf, pwa, seo." in told
    assert client.messages()[-1] == told


async def test_a_name_that_is_none_is_answered_with_those_near_it(client: Editor) -> None:
    await client.initialize()
    told = (await client.command("forge.skill.run", {"alias": "reviw"}))["error"]["message"]
    assert told == "There is no skill 'reviw'. Did you mean review?"
    told = (await client.command("forge.skill.run", {"alias": "seo"}))["error"]["message"]
    assert "seo is an augmenter" in told
    told = (await client.command("forge.augmenter.run", {"alias": "review"}))["error"]["message"]
    assert "review is no augmenter" in told
    told = await client.command("forge.skill.run", {"alias": "copy", "args": "x" * 30_000})
    assert "arguments are longer" in told["error"]["message"]


async def test_a_workspaces_own_skill_runs_and_says_that_it_is_custom(
    counter: Editor, workspace: Path
) -> None:
    folder = workspace / ".forge" / "skills"
    folder.mkdir(parents=True)
    (folder / "tone.md").write_text(SKILL)
    text = await critique(counter, "tone")
    assert text.startswith("# Tone\n\n*This skill is custom")
    assert "nothing prepared for tone" in text


async def test_an_augmenter_waits_for_review_and_tells_what_it_did(
    counter: Editor, workspace: Path
) -> None:
    last = await counter.run("forge.augmenter.run", {"alias": "a11y"})
    assert last["outcome"] == "completed", (last, counter.messages())
    await counter.wait(lambda _: any("Naming the buttons" in each for each in counter.messages()))
    before = (workspace / "src" / "Counter.tsx").read_text()
    assert "aria-label=" not in before
    await counter.run("forge.review.accept")
    assert 'aria-label="Increment the count"' in (workspace / "src" / "Counter.tsx").read_text()
    await counter.run("forge.undo")
    assert (workspace / "src" / "Counter.tsx").read_text() == before


async def test_a_dry_run_tells_the_files_and_writes_nothing(
    counter: Editor, workspace: Path, line: SandboxLine
) -> None:
    (workspace / "index.html").write_text(INDEX)
    held = (await line.ask("tell"))["contents"]
    last = await counter.run("forge.augmenter.run", {"alias": "seo", "dryRun": True})
    assert last["outcome"] == "completed", (last, counter.messages())
    told = await counter.wait(
        lambda m: m.get("method") == "window/showMessage" and "would" in m["params"]["message"]
    )
    assert told["params"]["message"] == (
        "Search engines would change public/robots.txt (+2 -0), index.html (+6 -1)."
    )
    assert (workspace / "index.html").read_text() == INDEX
    assert not (workspace / "public").exists()
    assert (await line.ask("tell"))["contents"] == held
    answer = await counter.command("forge.review.accept")
    assert "Nothing waits for review" in answer["error"]["message"]


async def test_a_file_that_waits_for_review_needs_force(counter: Editor) -> None:
    await counter.run("forge.edit", {"prompt": "Add a reset button to the counter"})
    last = await counter.run("forge.augmenter.run", {"alias": "a11y"})
    assert (last["outcome"], last["code"]) == ("failed", "conflict")
    await counter.wait(
        lambda _: any("src/Counter.tsx waits for review" in e for e in counter.messages())
    )
    last = await counter.run("forge.augmenter.run", {"alias": "a11y", "force": True})
    assert last["outcome"] == "completed", (last, counter.messages())


async def test_an_editor_that_opens_nothing_is_told_the_first_lines_and_the_place(
    workspace: Path, home: Path
) -> None:
    (workspace / "main.rs").write_text("fn main() {}\n")
    async with editor(workspace, home) as client:
        await client.initialize(BARE, options=EVENTS)
        await client.run("forge.skill.run", {"alias": "review"})
        told = await client.wait(
            lambda m: (
                m.get("method") == "window/showMessage" and "All of it" in m["params"]["message"]
            )
        )
    message = told["params"]["message"]
    assert message.startswith("# Code review\n\nThis is the demo model")
    place = message.rpartition("All of it is in ")[2].removesuffix(".")
    assert Path(place).is_relative_to(home)
    assert read(place).startswith("# Code review")


async def test_an_empty_workspace_is_told_that_there_is_nothing(client: Editor) -> None:
    await client.initialize(options=EVENTS)
    last = await client.run("forge.skill.run", {"alias": "review"})
    assert last["outcome"] == "failed"
    assert "nothing to look at" in last["message"]
