"""A real Emacs with eglot and nothing of ours: from a comment to a file on disk, and back."""

import subprocess
from pathlib import Path

import pytest
from e2e_emacs import opened
from e2e_home import Home, contents, fill
from e2e_preview import wait_for
from e2e_projects import COUNTER, counter_project, counter_with_reset
from e2e_tools import executable

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

WISH = b"// forge: add a reset button\n"


def test_a_comment_becomes_a_change_that_is_shown_accepted_and_undone(
    workspace: Path, home: Home
) -> None:
    files = {**counter_project(), COUNTER: WISH + counter_project()[COUNTER]}
    fill(workspace, files)
    subprocess.run([executable("git"), "init", "-q", workspace], check=True)
    with opened(workspace, home) as person:
        url = person.hear()
        assert _project(workspace) == files
        wait_for(url, f"/{COUNTER}", "Reset")

        person.tell_to_go_on()
        assert person.hear() == "accepted"
        assert _project(workspace) == {**files, COUNTER: WISH + counter_with_reset()}

        person.tell_to_go_on()
        assert person.hear() == "undone"
        assert _project(workspace) == files


def _project(workspace: Path) -> dict[str, bytes]:
    return {
        path: each for path, each in contents(workspace).items() if not path.startswith(".git/")
    }
