"""Makes the picture of the Neovim plugin from a real screen: `python tests/e2e/nvim_picture.py`."""

import io
import json
import tempfile
from pathlib import Path

from e2e_home import Home, fill
from e2e_nvim_plugin import INIT
from e2e_projects import COUNTER, counter_project
from e2e_screen import shown
from e2e_tools import LANGUAGE_SERVER, executable, neovim
from picture import save
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).parents[2] / "editors/nvim/review.svg"
COLUMNS, LINES = 112, 36
PROMPT = "add a step size"
LOOKS = (
    "set termguicolors number nowrap signcolumn=no laststatus=3 noshowmode noruler",
    "set statusline=\\ %f\\ %m%=%{v:lua.require'forge'.status()}\\ ",
    "highlight Normal guibg=NONE",
    "lua require('forge').setup({ live = false })",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("cache", "project"):
            (place / name).mkdir()
        fill(place / "project", counter_project())
        home = Home.make(place / "home", place / "cache")
        drawn = review(place / "project", home)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    for line in drawn.splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    save(console, f"nvim {COUNTER}", PICTURE)


def review(project: Path, home: Home) -> str:
    """The screen, once the changes that a prompt came to are drawn."""
    looks = [argument for each in LOOKS for argument in ("-c", each)]
    command = [str(neovim()), "--clean", "-u", str(INIT), "-n", *looks, COUNTER]
    # Without Node there is no sandbox, which a picture needs none of.
    settings = {
        "PATH": str(executable("tmux").parent / "none"),
        "LANGUAGE_SERVER": json.dumps(LANGUAGE_SERVER),
    }
    with shown(command, project, home, (COLUMNS, LINES), **settings) as screen:
        screen.wait_for("export default function Counter")
        screen.type("-l", f":Forge edit {PROMPT}")
        screen.type("Enter")
        screen.wait_for("changes to review", "ready for review")
        # The first lines that go, with those that come above them in sight.
        screen.type("-l", ":normal! 22Gzt")
        screen.type("Enter")
        screen.type("-l", ":echo")
        screen.type("Enter")
        screen.wait_until_gone("ready for review")
        return screen.colored


if __name__ == "__main__":
    main()
