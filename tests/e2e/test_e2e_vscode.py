"""The extension in a real VS Code: from the palette to a preview that counts, and back."""

import json
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from e2e_chromium import FLAGS
from e2e_code_server import CodeServer, packaged, serving
from e2e_home import Home, contents, fill
from e2e_projects import COUNTER, counter_project
from e2e_tools import executable
from e2e_vscode import RUN_TIMEOUT_MS, Window, opened
from playwright.sync_api import Browser, expect, sync_playwright

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(240)]

PACE_S = "0.01"
GENERATE = "a counter app with a reset button"
EDIT = "add a reset button"


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Generator[None]:
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def vscode(tmp_path_factory: pytest.TempPathFactory, prepared_cache: Path) -> Generator[CodeServer]:
    """One VS Code for all tests; each has a window and a folder of its own."""
    folder = tmp_path_factory.mktemp("vscode")
    home = Home.make(folder / "home", prepared_cache)
    settings = {"forge.path": str(Path(sys.executable).with_name("forge-lsp"))}
    told = {"FORGE_TEST_TOLD": str(folder / "told.txt")}
    with serving(
        folder, home, packaged(), settings, FORGE_MODEL_DEMO_PACE_S=PACE_S, **told
    ) as server:
        yield server


@pytest.fixture(scope="module")
def browser(vscode: CodeServer) -> Generator[Browser]:
    """One browser; after what is prepared with a loop of its own, which it doesn't stand."""
    del vscode
    place = executable("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def window(
    request: pytest.FixtureRequest,
    vscode: CodeServer,
    browser: Browser,
    workspace: Path,
    tmp_path: Path,
) -> Generator[Window]:
    """A window on the workspace, with the server running."""
    if request.function in BEGIN_WITH_THE_COUNTER:
        fill(workspace, counter_project())
    with opened(browser, vscode.folder_url(workspace), tmp_path / "pictures") as window:
        window.wait_until_ready()
        yield window


def test_a_prompt_in_the_palette_is_written_live_reviewed_shown_accepted_and_undone(
    window: Window, workspace: Path
) -> None:
    window.command("Forge: Generate…")
    window.answer(GENERATE, "create a counter app")
    expect(window.toast("Forge: generating")).to_be_visible()
    expect(window.status).to_contain_text("writing")
    expect(window.tab("Counter.tsx")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect(window.text).to_contain_text("import")
    window.picture("1 written live")
    expect(window.tab_titled("Forge: review")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect(window.tab("Counter.tsx")).to_have_count(0)
    assert contents(workspace) == {}
    window.picture("2 review")

    window.command("Forge: Accept All")
    done = window.toast("file(s) changed")
    expect(done).to_be_visible()
    expect(window.tab_titled("Forge: review")).to_have_count(0)
    assert contents(workspace) == counter_project()

    window.press(done, "Preview")
    button = window.preview.get_by_role("button", name="Increment")
    button.click()
    expect(window.preview.locator("body")).to_contain_text("1")
    window.picture("3 preview")

    window.tab("Counter.tsx").click()
    window.command("Forge: Undo the Last Accept")
    window.wait_until(lambda: contents(workspace) == {})
    window.picture("4 undone")


def test_a_change_is_accepted_hunk_by_hunk_and_undone_from_its_notification(
    window: Window, workspace: Path
) -> None:
    window.command("Forge: Edit…")
    window.answer(EDIT, "let me choose the step")
    expect(window.tab_titled("Forge: review")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    window.picture("1 review")

    window.command("Forge: Accept…")
    window.pick(f"{COUNTER} · change 1")
    expect(window.toast("file(s) changed")).to_be_visible()
    partly = (workspace / COUNTER).read_text()
    assert "setStep" in partly
    assert "value + step" not in partly
    window.picture("2 one accepted")

    window.command("Forge: Accept All")
    expect(window.tab_titled("Forge: review")).to_have_count(0)
    window.wait_until(lambda: "value + step" in (workspace / COUNTER).read_text())

    window.press(window.toast("file(s) changed"), "Undo")
    window.wait_until(lambda: contents(workspace) == counter_project())


def test_a_run_is_cancelled_by_its_notification(window: Window, workspace: Path) -> None:
    window.command("Forge: Generate…")
    window.answer(GENERATE, "create a counter app")
    expect(window.tab("Counter.tsx")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    window.press(window.toast("Forge: generating"), "Cancel")
    expect(window.status).to_contain_text("no key")
    expect(window.tab("Counter.tsx")).to_have_count(0)
    assert contents(workspace) == {}


def test_a_server_that_is_killed_is_started_again(
    window: Window, vscode: CodeServer, workspace: Path
) -> None:
    old = vscode.newest_language_server()
    assert old is not None
    os.kill(old, signal.SIGKILL)
    window.wait_until(lambda: vscode.newest_language_server() not in (old, None))
    window.wait_until_ready()
    window.command("Forge: Edit…")
    window.answer(EDIT, "add a reset button")
    expect(window.tab_titled("Forge: review")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    window.command("Forge: Reject All")
    expect(window.tab_titled("Forge: review")).to_have_count(0)
    assert contents(workspace) == counter_project()


def test_of_several_folders_the_one_that_is_chosen_is_worked_in(
    vscode: CodeServer, browser: Browser, workspace: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file = tmp_path / "both.code-workspace"
    file.write_text(json.dumps({"folders": [{"path": str(workspace)}, {"path": str(other)}]}))
    with opened(browser, vscode.workspace_url(file), tmp_path / "pictures") as window:
        window.wait_until_ready()
        expect(window.explorer("other")).to_be_visible()
        window.command("Forge: Generate…")
        window.pick("other")
        window.answer(GENERATE, "create a counter app")
        expect(window.tab_titled("Forge: review")).to_be_visible(timeout=RUN_TIMEOUT_MS)
        window.command("Forge: Accept All")
        expect(window.toast("file(s) changed")).to_be_visible()
    assert contents(workspace) == {}
    assert contents(other) == counter_project()


def test_the_parts_do_their_work_inside_of_the_extension_host(
    vscode: CodeServer, browser: Browser, workspace: Path, tmp_path: Path
) -> None:
    codes: list[int] = []

    def end(code: int, *_: object) -> None:
        codes.append(code)

    def log(*_: object) -> None:
        pass

    with opened(browser, "about:blank", tmp_path / "pictures") as window:
        window.page.expose_function("codeAutomationExit", end)
        window.page.expose_function("codeAutomationLog", log)
        window.page.goto(vscode.suite_url(workspace))
        window.wait_until(lambda: bool(codes))
    told = (vscode.folder / "told.txt").read_text()
    assert codes == [0], told
    assert told.endswith(" passed")


BEGIN_WITH_THE_COUNTER = (
    test_a_change_is_accepted_hunk_by_hunk_and_undone_from_its_notification,
    test_a_server_that_is_killed_is_started_again,
)
