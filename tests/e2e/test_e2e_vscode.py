"""The extension in a real VS Code: from the palette to a preview that counts, and back.

One test of many steps: a VS Code and its windows cost more than all that is done in them.
"""

import json
import os
import shutil
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

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(480)]

PACE_S = "0.01"
PICTURES = "FORGE_TEST_PICTURES"
"""The variable that names the folder in which the README's pictures are to be."""
README_PICTURES = ("prompt", "live", "review", "preview", "menu")
FORGE_LSP = str(Path(sys.executable).with_name("forge-lsp"))
KEY = "sk-ant-nobody-has-this-one"
GENERATE = "a counter app with a reset button"
EDIT = "add a reset button"
SELECTION = "make it shorter"
REVIEW = "Forge: review"
ENDS_AT_ONCE = "ends.sh"


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Generator[None]:
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="module")
def vscode(tmp_path_factory: pytest.TempPathFactory, prepared_cache: Path) -> Generator[CodeServer]:
    """One VS Code for all windows."""
    folder = tmp_path_factory.mktemp("vscode")
    home = Home.make(folder / "home", prepared_cache)
    told = {"FORGE_TEST_TOLD": str(folder / "told.txt")}
    settings = {"forge.path": FORGE_LSP}
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
def pictures(tmp_path: Path) -> Generator[Path]:
    """Where the steps are shown."""
    shown = tmp_path / "pictures"
    yield shown
    if wanted := os.environ.get(PICTURES):
        for each in shown.glob("*.png"):
            if each.stem in README_PICTURES:
                shutil.copy(each, wanted)


def test_a_person_works_with_forge_in_vscode(
    vscode: CodeServer, browser: Browser, tmp_path: Path, pictures: Path
) -> None:
    app, other, theirs = (tmp_path / name for name in ("counter-app", "other", "theirs"))
    for folder in (app, other, theirs):
        folder.mkdir()
    with opened(browser, vscode.folder_url(app), pictures) as window:
        window.wait_until_ready()
        tell_activation_time(window)
        a_prompt_is_written_live_and_accepted_into_a_preview_that_counts(window, app)
        a_change_is_accepted_by_hunk_and_undone_from_its_notification(window, app)
        a_selection_is_edited_from_its_menu_and_the_change_rejected(window, app)
        an_accept_is_undone_by_command(window, app)
        a_run_is_cancelled_by_its_notification(window, app)
        a_server_that_is_killed_is_started_again(window, vscode)
        a_key_is_asked_for_and_kept_out_of_settings_and_logs(window, vscode)
        with opened(browser, vscode.folder_url(app), pictures) as second:
            second.wait_until_ready()
            what_one_window_proposes_another_decides(window, second, app)
            an_earlier_change_is_undone_from_the_history(window, app)
            of_several_folders_the_chosen_one_is_worked_in(second, vscode, app, other)
    trust = {
        "security.workspace.trust.enabled": True,
        "security.workspace.trust.startupPrompt": "never",
    }
    nowhere = {"forge.path": str(tmp_path / "nowhere")}
    with vscode.having(trust), vscode.having(nowhere, "Machine"):
        of_a_folder_that_is_not_trusted_nothing_is_run(vscode, browser, theirs, pictures)
    the_parts_do_their_work_inside_of_the_extension_host(vscode, browser, app)


def of_a_folder_that_is_not_trusted_nothing_is_run(
    vscode: CodeServer, browser: Browser, theirs: Path, pictures: Path
) -> None:
    marks = theirs.with_name("was-run")
    program = f"#!/bin/sh\ntouch {marks}\n".encode()
    asked = {"forge.path": str(theirs / "evil.sh"), "forge.review.mode": "auto"}
    settings = json.dumps(asked).encode()
    programs = (".venv/bin/forge-lsp", "evil.sh")
    fill(theirs, {**dict.fromkeys(programs, program), ".vscode/settings.json": settings})
    for each in programs:
        (theirs / each).chmod(0o755)
    with opened(browser, vscode.folder_url(theirs), pictures) as window:
        expect(window.status).to_contain_text("restricted", timeout=RUN_TIMEOUT_MS)
        assert not window.offers("Forge: Generate…")
        window.status.click()
        window.choices.filter(has_text="Trust this folder").click()
        window.page.get_by_role("button", name="Trust", exact=True).first.click()
        (theirs / ENDS_AT_ONCE).write_text("#!/bin/sh\nexit 3\n")
        (theirs / ENDS_AT_ONCE).chmod(0o755)
        where_the_server_is_missing_the_person_says_where_it_is(window, theirs)
    assert not marks.exists()


def where_the_server_is_missing_the_person_says_where_it_is(window: Window, theirs: Path) -> None:
    expect(window.status).to_contain_text("not installed")
    say_where_the_server_is(window, theirs / ENDS_AT_ONCE)
    expect(window.toast("could not be started")).to_be_visible()
    expect(window.status).to_contain_text("stopped")
    window.dismiss()
    window.command("Forge: Get the Language Server…")
    say_where_the_server_is(window, Path(FORGE_LSP))
    window.wait_until_ready()
    assert window.offers("Forge: Generate…")


def say_where_the_server_is(window: Window, place: Path) -> None:
    window.press(window.toast("Forge needs its language server"), "Choose forge-lsp…")
    # The dialog forgets what is typed before it shows the folder that it begins with.
    expect(window.choice("evil.sh")).to_be_visible()
    box = window.page.locator(".quick-input-widget input[type=text]")
    box.fill(str(place))
    expect(window.choice(place.name)).to_be_visible()
    expect(box).to_have_value(str(place))
    box.press("Enter")


def the_parts_do_their_work_inside_of_the_extension_host(
    vscode: CodeServer, browser: Browser, folder: Path
) -> None:
    codes: list[int] = []

    def end(code: int, *_: object) -> None:
        codes.append(code)

    def log(*_: object) -> None:
        pass

    with opened(browser, "about:blank", vscode.folder) as window:
        window.page.expose_function("codeAutomationExit", end)
        window.page.expose_function("codeAutomationLog", log)
        window.page.goto(vscode.suite_url(folder))
        window.wait_until(lambda: bool(codes))
    told = (vscode.folder / "told.txt").read_text()
    assert codes == [0], told
    assert told.endswith(" passed")


def tell_activation_time(window: Window) -> None:
    """Which VS Code measures itself; machines differ too much to hold it to anything."""
    window.command("Developer: Show Running Extensions")
    ours = window.page.locator(".runtime-extensions-editor .extension").filter(has_text="Forge")
    print(f"activation: {ours.locator('.activation-time').inner_text()}")
    window.command("View: Close All Editors")


def a_prompt_is_written_live_and_accepted_into_a_preview_that_counts(
    window: Window, app: Path
) -> None:
    window.command("Forge: Generate…")
    box = window.type_answer(GENERATE, "create a counter app")
    window.picture("prompt")
    box.press("Enter")
    expect(window.toast("Forge: generating")).to_be_visible()
    expect(window.status).to_contain_text("writing")
    window.wait_for_sight("Counter.tsx", "aria-live")
    window.picture("live")
    expect(window.tab_titled(REVIEW)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect(window.tab("Counter.tsx")).to_have_count(0)
    assert contents(app) == {}

    window.command("Forge: Accept All")
    done = window.toast("Forge changed 10 files")
    expect(done).to_be_visible()
    expect(window.tab_titled(REVIEW)).to_have_count(0)
    assert contents(app) == counter_project()

    window.press(done, "Preview")
    window.preview.get_by_role("button", name="Increment").click()
    expect(window.preview.get_by_test_id("count")).to_have_text("1")
    for path in counter_project():
        expect(window.tab(Path(path).name)).to_have_count(0)
    # Keys that are typed in the app are the app's, so the palette would have none.
    window.tab_titled("Forge: preview").click(button="middle")
    expect(window.tab_titled("Forge: preview")).to_have_count(0)


def a_change_is_accepted_by_hunk_and_undone_from_its_notification(
    window: Window, app: Path
) -> None:
    window.open_file(COUNTER)
    window.command("Forge: Edit…")
    window.answer(EDIT, "let me choose the step")
    expect(window.tab_titled(REVIEW)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    window.dismiss()
    window.picture("review")

    window.command("Forge: Accept…")
    window.pick(f"{COUNTER} · change 1")
    expect(window.toast("Forge changed 1 file")).to_be_visible()
    partly = (app / COUNTER).read_text()
    assert "setStep" in partly
    assert "value + step" not in partly
    window.dismiss()

    window.command("Forge: Accept All")
    done = window.toast("Forge changed 1 file")
    expect(done).to_be_visible()
    expect(window.tab_titled(REVIEW)).to_have_count(0)
    assert "value + step" in (app / COUNTER).read_text()
    window.press(done, "Undo")
    window.wait_until(lambda: contents(app) == counter_project())
    window.dismiss()


def a_selection_is_edited_from_its_menu_and_the_change_rejected(window: Window, app: Path) -> None:
    window.text.click()
    window.page.keyboard.press("Control+a")
    window.from_context_menu("Forge: edit the selection…")
    window.answer(SELECTION, "add a reset button")
    expect(window.tab_titled(REVIEW)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    window.command("Forge: Reject All")
    expect(window.tab_titled(REVIEW)).to_have_count(0)
    assert contents(app) == counter_project()

    window.command("Forge: Show the Preview")
    window.preview.get_by_role("button", name="Increment").dblclick()
    expect(window.preview.get_by_test_id("count")).to_have_text("2")
    window.tab("Counter.tsx").click()
    window.page.keyboard.press("Control+Home")
    window.dismiss()
    window.picture("preview")


def an_accept_is_undone_by_command(window: Window, app: Path) -> None:
    window.command("Forge: Undo the Last Accept")
    window.wait_until(lambda: contents(app) == {})


def a_run_is_cancelled_by_its_notification(window: Window, app: Path) -> None:
    window.command("Forge: Generate…")
    window.answer(GENERATE, "create a counter app")
    window.wait_for_sight("App.tsx", "import")
    window.press(window.toast("Forge: generating"), "Cancel")
    expect(window.status).to_contain_text("no key")
    expect(window.tab("App.tsx")).to_have_count(0)
    assert contents(app) == {}


def a_server_that_is_killed_is_started_again(window: Window, vscode: CodeServer) -> None:
    window.command("Forge: Generate…")
    window.answer(GENERATE, "create a counter app")
    window.wait_for_sight("App.tsx", "import")
    old = vscode.newest_language_server()
    assert old is not None
    os.kill(old, signal.SIGKILL)
    window.wait_until(lambda: vscode.newest_language_server() not in (old, None))
    window.wait_until_ready()
    expect(window.tab("App.tsx")).to_have_count(0)


def a_key_is_asked_for_and_kept_out_of_settings_and_logs(
    window: Window, vscode: CodeServer
) -> None:
    window.command("View: Close All Editors")
    window.dismiss()
    window.status.click()
    expect(window.choices.first).to_contain_text("Set the API key")
    window.picture("menu")
    window.choices.first.click()
    window.answer("sk-ant-…", KEY)
    expect(window.status).not_to_contain_text("no key")
    window.wait_until(lambda: f"ANTHROPIC_API_KEY={KEY}" in environment_of(vscode))
    told = [place for place in vscode.folder.rglob("*") if place.is_file() and has(place, KEY)]
    assert told == []
    window.command("Forge: Forget the API Key")
    window.wait_until_ready()


def what_one_window_proposes_another_decides(first: Window, second: Window, app: Path) -> None:
    first.command("Forge: Generate…")
    first.answer(GENERATE, "create a counter app")
    expect(first.tab_titled(REVIEW)).to_be_visible(timeout=RUN_TIMEOUT_MS)

    second.command("Forge: Review the Change")
    expect(second.tab_titled(REVIEW)).to_be_visible()
    second.command("Forge: Accept All")
    expect(second.tab_titled(REVIEW)).to_have_count(0)
    expect(second.toast("Forge changed 10 files")).to_be_visible()
    assert contents(app) == counter_project()

    first.command("Forge: Reject All")
    expect(first.tab_titled(REVIEW)).to_have_count(0)
    assert contents(app) == counter_project()


def an_earlier_change_is_undone_from_the_history(window: Window, app: Path) -> None:
    window.command("Forge: Show What Was Changed…")
    expect(window.choices.first).to_contain_text("accepted")
    window.choices.first.click()
    window.choices.filter(has_text="Undo it").click()
    window.wait_until(lambda: contents(app) == {})


def of_several_folders_the_chosen_one_is_worked_in(
    window: Window, vscode: CodeServer, app: Path, other: Path
) -> None:
    file = other.with_suffix(".code-workspace")
    file.write_text(json.dumps({"folders": [{"path": str(app)}, {"path": str(other)}]}))
    before = contents(app)
    window.show_workspace(vscode.workspace_url(file), "other")
    window.command("Forge: Generate…")
    window.pick("other")
    window.answer(GENERATE, "create a counter app")
    expect(window.tab_titled(REVIEW)).to_be_visible(timeout=RUN_TIMEOUT_MS)
    window.command("Forge: Accept All")
    expect(window.toast("Forge changed 10 files")).to_be_visible()
    assert contents(app) == before
    assert contents(other) == counter_project()


def environment_of(vscode: CodeServer) -> str:
    """What the newest language server was started with."""
    pid = vscode.newest_language_server()
    place = Path(f"/proc/{pid}/environ")
    return place.read_text() if place.exists() else ""


def has(place: Path, secret: str) -> bool:
    return secret.encode() in place.read_bytes()
