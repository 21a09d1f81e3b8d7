"""A Neovim on a screen: what a person sees, by tmux."""

import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from e2e_home import Home
from e2e_processes import hold_family, left_after
from e2e_tools import executable

WAIT_S = 30.0
END_TIMEOUT_S = 5.0
LOOK_EVERY_S = 0.05
COLUMNS, LINES = 140, 50


class Screen:
    """One terminal."""

    def __init__(self, tmux: list[str]) -> None:
        self._tmux = tmux

    def type(self, *keys: str) -> None:
        """Keys by tmux's names, or text as it is."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    @property
    def text(self) -> str:
        """What is on it, without the blanks at the ends of its lines."""
        return self._capture()

    @property
    def colored(self) -> str:
        """All of it, with the escape sequences of its colours."""
        return self._capture("-e", "-N")

    def _capture(self, *options: str) -> str:
        command = [*self._tmux, "capture-pane", "-p", *options]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def wait_for(self, *texts: str) -> str:
        """Until all of the texts are on it; gives what is on it."""
        deadline = time.monotonic() + WAIT_S
        while not all(each in (shown := self.text) for each in texts):
            assert time.monotonic() < deadline, f"{texts} are not on the screen:\n{shown}"
            time.sleep(LOOK_EVERY_S)
        return shown

    def wait_until_gone(self, text: str) -> None:
        """Until the text isn't on it any more."""
        deadline = time.monotonic() + WAIT_S
        while text in (shown := self.text):
            assert time.monotonic() < deadline, f"{text!r} is still on the screen:\n{shown}"
            time.sleep(LOOK_EVERY_S)

    @property
    def pid(self) -> int:
        """Of what runs in it."""
        command = [*self._tmux, "display-message", "-p", "#{pane_pid}"]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextmanager
def shown(
    command: list[str],
    folder: Path,
    home: Home,
    size: tuple[int, int] = (COLUMNS, LINES),
    /,
    **settings: str,
) -> Generator[Screen]:
    """A terminal, of so many columns and lines, in which `command` runs; all that it started is
    gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tmux-") as place:
        tmux = [str(executable("tmux")), "-S", f"{place}/socket", "-f", "/dev/null"]
        columns, lines = size
        extent = ["-x", str(columns), "-y", str(lines)]
        environment = {**home.environment(**settings), "TERM": "xterm-256color"}
        start = [*tmux, "new-session", "-d", *extent, "-c", str(folder), *command]
        subprocess.run(start, check=True, env=environment)
        try:
            screen = Screen(tmux)
            family = hold_family(screen.pid)
            yield screen
            family = [*family, *hold_family(screen.pid)]
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)
        assert left_after(family, END_TIMEOUT_S) == []
