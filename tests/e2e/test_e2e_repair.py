"""What a run breaks is mended before review; what was broken before is nobody's business."""

from pathlib import Path

import pytest
from e2e_editor import opened
from e2e_home import Home, contents, fill
from e2e_model import scripted_model
from e2e_projects import counter_project

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(300)]

OLD = "src/old.ts"
OLD_ERRORS = 75
GREETING = "src/greeting.ts"
BROKEN = f'<file path="{GREETING}">\nexport const greeting: number = "hello";\n</file>\n<done/>\n'
MENDED = BROKEN.replace("number", "string")


@pytest.fixture
def project() -> dict[str, bytes]:
    """An app with many errors in it."""
    lines = (f'export const n{number}: number = "text";\n' for number in range(OLD_ERRORS))
    return {**counter_project(), OLD: "".join(lines).encode()}


async def test_a_file_that_a_run_breaks_is_mended_and_old_errors_stay(
    workspace: Path, home: Home, project: dict[str, bytes]
) -> None:
    fill(workspace, project)
    async with (
        scripted_model() as model,
        opened(workspace, home, **model.settings(repairs=True)) as editor,
    ):
        model.says_in_turn(BROKEN, MENDED)
        events = await editor.run("forge.generate", prompt="A friendly greeting")
        assert any(e.type == "stage" and e.message.startswith("Mending 1 problem") for e in events)
        assert any(event.type == "usage" for event in events)
        await editor.run("forge.review.accept")
        found = (await editor.execute("forge.sandbox.diagnostics"))["diagnostics"]
        assert len(model.asked) == 2
        assert f"{OLD}(" not in model.asked[1]
    assert contents(workspace) == {
        **project,
        GREETING: b'export const greeting: string = "hello";\n',
    }
    assert [each["file"] for each in found] == [OLD] * OLD_ERRORS


async def test_a_run_that_breaks_nothing_touches_no_old_error(
    workspace: Path, home: Home, project: dict[str, bytes]
) -> None:
    fill(workspace, project)
    async with (
        scripted_model() as model,
        opened(workspace, home, **model.settings(repairs=True)) as editor,
    ):
        model.says(MENDED)
        await editor.run("forge.generate", prompt="A friendly greeting")
        await editor.run("forge.review.accept")
        assert len(model.asked) == 1
    assert contents(workspace)[OLD] == project[OLD]
