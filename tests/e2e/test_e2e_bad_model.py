"""A model that answers anything but what it was asked for: said once, and nothing half-written."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from e2e_editor import Editor, Told, opened
from e2e_home import Home, contents, fill
from e2e_model import ScriptedModel, scripted_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    # One server answers all of them: it has to go on after each.
    pytest.mark.asyncio(loop_scope="module"),
]

PROJECT = {
    "package.json": b'{"name": "app"}\n',
    "src/App.tsx": b"export default function App() {}\n",
}
WHOLE = '<file path="src/Whole.tsx">\nexport const whole = 1;\n</file>\n'
HALF = '<file path="src/Half.tsx">\nexport const half = '
DONE = "<done/>\n"
LINE = "export const line = 1;\n"
PIECE = LINE * 4_000

TRY_AGAIN = "The model answered with nothing that could be used. Try again."
REVIEW = "1 file is ready for review: accept with a code action, or with forge.review.accept."
HALF_IS_LEFT_OUT = "src/Half.tsx was left out: the reply ended before the file did."
OUTSIDE = "its path is refused: it leaves the project."


@dataclass(frozen=True, slots=True)
class Asked:
    """A project that is open in an editor, and the model that its server asks."""

    editor: Editor
    model: ScriptedModel

    async def told(self) -> Told:
        """What a prompt comes to; the workspace is as it was afterwards, and nothing pends."""
        told = await self.editor.told("forge.generate", prompt="write something")
        assert contents(self.editor.folder) == PROJECT
        return told

    async def reviewed(self) -> str:
        """What waits for review, as a patch; it is rejected then."""
        diff = (await self.editor.execute("forge.review.diff"))["diff"]
        await self.editor.run("forge.review.reject")
        return diff

    async def shown(self) -> set[str]:
        """The source files that the sandbox holds."""
        files = (await self.editor.execute("forge.sandbox.files"))["files"]
        return {path for path in files if path.startswith("src/")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(
    tmp_path_factory: pytest.TempPathFactory, prepared_cache: Path
) -> AsyncGenerator[Asked]:
    folder = tmp_path_factory.mktemp("workspace")
    fill(folder, PROJECT)
    home = Home.make(tmp_path_factory.mktemp("home"), prepared_cache)
    async with (
        scripted_model() as model,
        opened(folder, home, **model.settings()) as editor,
    ):
        yield Asked(editor, model)
    assert "Traceback" not in (home.folder / "server.log").read_text()


async def test_prose_alone_is_quoted(asked: Asked) -> None:
    asked.model.says("Why not\n", "use Vue?")
    told = await asked.told()
    assert told.last.outcome == "completed"
    assert told.messages == [
        "The model changed nothing. It said: “Why not use Vue?” Say more exactly what you want."
    ]


async def test_ten_megabytes_of_prose_are_quoted_in_short(asked: Asked) -> None:
    asked.model.says(*["word " * 20_000] * 100)
    told = await asked.told()
    (message,) = told.messages
    assert "“word word" in message
    assert len(message) < 400


@pytest.mark.parametrize("reply", [(), ("  \n", "\n")], ids=["nothing", "blanks"])
async def test_nothing_at_all_is_said_to_be_nothing(asked: Asked, reply: tuple[str, ...]) -> None:
    asked.model.says(*reply)
    told = await asked.told()
    assert told.last.code == "empty_reply"
    assert told.messages == [TRY_AGAIN]


async def test_half_a_file_is_left_out(asked: Asked) -> None:
    asked.model.says(HALF, "1 +")
    told = await asked.told()
    assert told.last.outcome == "failed"
    assert told.messages == [f"{HALF_IS_LEFT_OUT} {TRY_AGAIN}"]
    assert "src/Half.tsx" not in await asked.shown()


async def test_the_whole_files_beside_half_a_file_are_kept(asked: Asked) -> None:
    asked.model.says(WHOLE, HALF, "1 +")
    told = await asked.told()
    assert told.messages == [f"{REVIEW} {HALF_IS_LEFT_OUT}"]
    shown = await asked.shown()
    assert "src/Whole.tsx" in shown
    assert "src/Half.tsx" not in shown
    assert "Half" not in await asked.reviewed()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../x.ts", OUTSIDE),
        ("src/../../x.ts", OUTSIDE),
        ("/etc/passwd", "its path is refused: it is not relative to the project."),
        (".env", "its path is refused: .env is protected."),
    ],
)
async def test_a_wrong_path_is_named_and_written_nowhere(
    asked: Asked, path: str, reason: str
) -> None:
    around = set(asked.editor.folder.parent.iterdir())
    asked.model.says(f'<file path="{path}">\n{LINE}</file>\n', DONE)
    told = await asked.told()
    assert told.messages == [f"{path} was left out: {reason} {TRY_AGAIN}"]
    assert set(asked.editor.folder.parent.iterdir()) == around


async def test_a_wrong_path_costs_the_other_files_nothing(asked: Asked) -> None:
    asked.model.says(f'<file path="../x.ts">\n{LINE}</file>\n', WHOLE, DONE)
    told = await asked.told()
    assert told.messages == [f"{REVIEW} ../x.ts was left out: {OUTSIDE}"]
    assert "b/src/Whole.tsx" in await asked.reviewed()


async def test_a_file_of_ten_megabytes_comes_whole(asked: Asked) -> None:
    count = 10_000_000 // len(PIECE) + 1
    asked.model.says('<file path="src/Large.ts">\n', *[PIECE] * count, "</file>\n", DONE)
    told = await asked.told()
    assert told.messages == [REVIEW]
    assert (await asked.reviewed()).count(f"+{LINE}") == count * 4_000


async def test_a_reply_that_is_longer_than_any_is_not_read_on(asked: Asked) -> None:
    asked.model.says('<file path="src/Large.ts">\n', *[PIECE] * 200, "</file>\n", DONE)
    told = await asked.told()
    assert told.last.outcome == "truncated"
    (message,) = told.messages
    assert message == (
        "src/Large.ts was left out: the reply ended before the file did. The reply is longer than "
        "12,000,000 characters; the rest of it was not read. Ask for the rest."
    )
    assert "src/Large.ts" not in await asked.shown()


async def test_an_error_before_the_first_word_fails_with_what_to_do(asked: Asked) -> None:
    asked.model.breaks_off_after()
    told = await asked.told()
    assert told.last.code == "model_busy"
    (message,) = told.messages
    assert message.endswith("is overloaded: Overloaded. Wait a minute and try again.")


async def test_an_error_in_mid_stream_keeps_what_is_whole(asked: Asked) -> None:
    asked.model.breaks_off_after(WHOLE, HALF)
    told = await asked.told()
    assert told.last.outcome == "truncated"
    (message,) = told.messages
    assert message.startswith(HALF_IS_LEFT_OUT)
    assert "is overloaded: Overloaded. 1 whole file(s) were kept. Ask for the rest." in message
    assert message.endswith(REVIEW)
    assert "Half" not in await asked.reviewed()
