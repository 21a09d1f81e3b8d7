"""Which browser is taken to look at previews."""

from pathlib import Path

import pytest
from isolation_harness import Spawn

from forge_lsp.errors import BrowserMissing
from forge_lsp.sandbox.isolation import programs
from forge_lsp.sandbox.isolation.identity import Identity
from forge_lsp.sandbox.isolation.programs import find_browser

PROGRAM = Path("/usr/bin/env").resolve()
"""Any program of the machine serves where only finding one matters."""


@pytest.fixture
def no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is all of the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "BROWSER_PLACES", ())
    return tmp_path


def test_a_machine_without_one_is_told_how_to_get_it(no_browser: Path) -> None:
    with pytest.raises(BrowserMissing, match="no Chromium") as raised:
        find_browser(Identity.choose())
    assert "apt-get install chromium" in raised.value.remedy


def test_a_link_on_the_path_leads_to_its_program(no_browser: Path) -> None:
    (no_browser / "google-chrome").symlink_to(PROGRAM)
    assert find_browser(Identity.choose()) == PROGRAM


def test_behind_a_script_its_program_is_looked_for(
    no_browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = no_browser / "chromium"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with pytest.raises(BrowserMissing, match="can't be confined"):
        find_browser(Identity.choose())
    monkeypatch.setattr(programs, "BROWSER_PLACES", ("/usr/missing", str(PROGRAM)))
    assert find_browser(Identity.choose()) == PROGRAM


def test_a_program_that_no_sandbox_sees_is_refused(no_browser: Path) -> None:
    program = no_browser / "chromium"
    program.write_bytes(PROGRAM.read_bytes())
    program.chmod(0o755)
    with pytest.raises(BrowserMissing, match="outside of /usr") as raised:
        find_browser(Identity.choose())
    assert str(program) in raised.value.message
    assert "snap" in raised.value.remedy


HAS_FONTS = Path("/etc/fonts/fonts.conf").exists()


@pytest.mark.sandbox
@pytest.mark.skipif(not HAS_FONTS, reason="this machine has no settings for fonts")
async def test_fonts_are_seen_and_can_not_be_written(spawn: Spawn) -> None:
    confined = await spawn(["sh", "-c", "cat /etc/fonts/fonts.conf; touch /etc/fonts/mine"])
    output = await confined.output.read()
    assert b"<fontconfig>" in output
    assert b"touch: " in output
    assert await confined.wait() == 1
