"""A real Emacs without a screen, with what its page says to write into the init file."""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from e2e_home import Home
from e2e_processes import hold_family, left_after
from e2e_tools import executable, lacking

PAGE = Path(__file__).parents[2] / "editors/emacs/README.md"
PERSON = Path(__file__).with_name("e2e_emacs.el")
PACKAGES = Path("/usr/share/emacs/site-lisp/elpa")
"""Where Debian has eglot for an Emacs that doesn't bring it."""
BRINGS_EGLOT = 29
WAIT_S = 90.0
END_TIMEOUT_S = 5.0


class Person:
    """Whoever is at that Emacs: says how far they are, and goes on when told to."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def hear(self) -> str:
        """What they say next."""
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], WAIT_S)
        said = self._process.stdout.readline() if ready else ""
        assert said, self._log.read_text()
        return said.rstrip("\n")

    def tell_to_go_on(self) -> None:
        """Let them do the next thing."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()


@contextmanager
def opened(workspace: Path, home: Home, person: Path = PERSON) -> Generator[Person]:
    """Emacs in `workspace`, with a person who does what is in that file; it must end by itself."""
    program = executable("emacs")
    if not (any(PACKAGES.glob("eglot-*")) or _brings_eglot(program)):
        lacking(f"there is no eglot in {PACKAGES} (Debian: apt-get install elpa-eglot)")
    configuration, log = home.folder / "configuration.el", home.folder / "emacs.log"
    configuration.write_text(_configuration())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-Q", "--batch", "-l", person],
            cwd=workspace,
            env=home.environment(PATH=path, FORGE_TEST_CONFIGURATION=str(configuration)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
        )
    try:
        someone = Person(process, log)
        yield someone
        family = hold_family(process.pid)
        someone.tell_to_go_on()
        assert process.wait(WAIT_S) == 0, log.read_text()
        assert left_after(family, END_TIMEOUT_S) == []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _brings_eglot(program: Path) -> bool:
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    found = re.search(r"GNU Emacs (\d+)", told.stdout)
    return found is not None and int(found[1]) >= BRINGS_EGLOT


def _configuration() -> str:
    """The first piece of Lisp in the page."""
    found = re.search(r"^```elisp\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]
