"""A real Neovim without a screen, driven over its socket as a person would drive it.

Waiting happens inside of Neovim (`vim.wait`), whose loop goes on turning meanwhile.
"""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pynvim
from e2e_home import Home
from e2e_processes import hold_family, left_after
from e2e_tools import LANGUAGE_SERVER, neovim

INIT = Path(__file__).with_name("e2e_init.lua")
START_TIMEOUT_S = 10.0
WAIT_S = 15.0
RUN_TIMEOUT_S = 60.0
END_TIMEOUT_S = 5.0
WATCHDOG_S = 110.0
"""An editor that hangs would hang its test too: pynvim waits for ever."""
LOOK_EVERY_S = 0.02


class Neovim:
    """One Neovim, started in a workspace."""

    def __init__(self, api: pynvim.Nvim) -> None:
        self._api = api

    def lua(self, code: str, *arguments: object) -> Any:
        """What a chunk of Lua returns; its arguments are `...`."""
        return self._api.exec_lua(code, *arguments)

    def wait(self, condition: str, *arguments: object, timeout_s: float = WAIT_S) -> None:
        """Until the Lua expression, in which the arguments are `a`, holds."""
        code = "local wait_ms, a = select(1, ...), { select(2, ...) }\n"
        code += f"return (vim.wait(wait_ms, function() return {condition} end, 20))"
        holds = self.lua(code, int(timeout_s * 1000), *arguments)
        assert holds, f"{condition} {arguments} did not come about: {self.lua('return seen')}"

    def open(self, path: str) -> None:
        """Edit a file of the workspace, with the server attached to it."""
        self.lua("vim.cmd.edit(...)", path)
        attached = "vim.lsp.get_clients({ name = 'forge', bufnr = 0 })"
        self.wait(f"#{attached} == 1 and {attached}[1].initialized")

    def find(self, text: str) -> None:
        """Put the cursor on the first line that holds the text."""
        self.lua("vim.fn.cursor(1, 1); assert(vim.fn.search('\\\\V' .. ..., 'c') > 0)", text)

    def type(self, keys: str) -> None:
        """Type the keys, which Neovim has handled when this returns."""
        self.lua("vim.api.nvim_feedkeys(vim.keycode(...), 'xt', false)", keys)

    def code_action(self, title: str) -> None:
        """Take the code action of that title at the cursor; the only one that may have it."""
        self.lua(
            """local title = ...
            vim.lsp.buf.code_action({
              apply = true,
              filter = function(action) return action.title == title end,
            })""",
            title,
        )

    def request(self, command: str, argument: Mapping[str, object] | None = None) -> Any:
        """What a command of the server's answers."""
        answer = self.lua(
            """local command, argument = ...
            local client = assert(vim.lsp.get_clients({ name = 'forge' })[1])
            local params = { command = command, arguments = { argument or vim.empty_dict() } }
            return assert(client:request_sync('workspace/executeCommand', params, 15000))""",
            command,
            argument,
        )
        assert "err" not in answer, answer
        return answer["result"]

    def wait_for_progress(self, title: str, message: str) -> None:
        """Until the newest run of that title reported something that holds `message`."""
        self.wait(
            "vim.iter(seen.runs):any(function(run) return vim.startswith(run.title, a[1]) and "
            "vim.iter(run.messages):any(function(each) return each:find(a[2], 1, true) end) end)",
            title,
            message,
            timeout_s=RUN_TIMEOUT_S,
        )

    def outcome(self, title: str) -> Mapping[str, Any]:
        """The newest run whose title begins like that, once it has ended."""
        ended = "vim.iter(seen.runs):rfind(function(run) return vim.startswith(run.title, a[1]) end)"
        self.wait(f"({ended} or {{}}).outcome", title, timeout_s=RUN_TIMEOUT_S)
        return self.lua(f"local a = {{...}}; return {ended}", title)

    def is_under_way(self, title: str) -> bool:
        """Whether a run of that title has begun and not ended."""
        return any(run["title"].startswith(title) and "outcome" not in run for run in self.runs)

    @property
    def runs(self) -> Sequence[Mapping[str, Any]]:
        """All runs whose progress was shown."""
        return self.lua("return seen.runs")

    @property
    def messages(self) -> Sequence[str]:
        """All messages that were shown."""
        return self.lua("return seen.messages")

    @property
    def text(self) -> str:
        """What the current buffer holds."""
        return "\n".join(self._api.current.buffer[:]) + "\n"

    def save_all(self) -> None:
        """What a person does when all is well."""
        self.lua("vim.cmd('silent wall')")

    def now_s(self) -> float:
        """The clock by which runs end."""
        return self.lua("return vim.uv.hrtime() / 1e9")

    def quit(self) -> None:
        """Leave, whatever isn't saved."""
        # Neovim goes before it can answer.
        with suppress(OSError, EOFError):
            self._api.command("qa!", async_=True)
        self._api.close()


@contextmanager
def opened(workspace: Path, home: Home, **settings: str) -> Generator[Neovim]:
    """A Neovim in `workspace`; it and its server are gone afterwards, whatever happens."""
    binary = neovim()
    environment = home.environment(LANGUAGE_SERVER=json.dumps(LANGUAGE_SERVER), **settings)
    # The path of a socket may have no more than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="nvim-") as folder, _log(home) as output:
        socket = Path(folder) / "socket"
        process = subprocess.Popen(
            [str(binary), "--headless", "--clean", "-u", INIT, "-n", "--listen", socket],
            cwd=workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        watchdog = threading.Timer(WATCHDOG_S, process.kill)
        watchdog.start()
        try:
            editor = Neovim(_attach(socket, process))
            yield editor
            family = hold_family(process.pid)
            editor.quit()
            assert left_after(family, END_TIMEOUT_S) == []
        finally:
            watchdog.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def _log(home: Home) -> Generator[int]:
    with (home.folder / "nvim.log").open("ab") as file:
        yield file.fileno()


def _attach(socket: Path, process: subprocess.Popen[bytes]) -> pynvim.Nvim:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return pynvim.attach("socket", path=str(socket))
        except OSError:
            assert process.poll() is None, "Neovim did not start"
            assert time.monotonic() < deadline, "Neovim does not listen"
            time.sleep(LOOK_EVERY_S)
