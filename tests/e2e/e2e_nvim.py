"""A real Neovim without a screen, driven over its socket as a person would drive it.

Waiting happens inside of Neovim (`vim.wait`), whose loop goes on turning meanwhile.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgpack
from e2e_home import Home
from e2e_processes import hold_family, left_after
from e2e_tools import LANGUAGE_SERVER, neovim

INIT = Path(__file__).with_name("e2e_init.lua")
START_TIMEOUT_S = 10.0
WAIT_S = 15.0
RUN_TIMEOUT_S = 60.0
END_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 75.0
"""No chunk of Lua takes longer: the longest waits for a run."""
LOOK_EVERY_S = 0.02

_REQUEST, _ANSWER = 0, 1
"""The kinds of message-pack RPC, of which Neovim sends no other here."""


class Neovim:
    """One Neovim, started in a workspace."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unpacker = msgpack.Unpacker()
        self._asked = 0

    def lua(self, code: str, *arguments: object) -> Any:
        """What a chunk of Lua returns; its arguments are `...`."""
        return self._ask("nvim_exec_lua", code, arguments)

    def _ask(self, method: str, *arguments: object) -> Any:
        self._asked += 1
        request = [_REQUEST, self._asked, method, arguments]
        self._connection.sendall(msgpack.Packer().pack(request))
        while True:
            for kind, number, error, result in self._unpacker:
                assert (kind, number) == (_ANSWER, self._asked)
                assert error is None, error
                return result
            piece = self._connection.recv(1 << 16)
            assert piece, "Neovim is gone"
            self._unpacker.feed(piece)

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

    def press(self, keys: str) -> None:
        """Press keys that may be mapped, which Neovim has handled when this returns."""
        self.lua("vim.api.nvim_feedkeys(vim.keycode(...), 'xm', false)", keys)

    def answer(self, keys: str) -> None:
        """Wait until a question is asked, and type the answer."""
        deadline = time.monotonic() + WAIT_S
        # Both are answered while Neovim waits for a key; nothing else is.
        while self._ask("nvim_get_mode")["mode"][0] not in "cr":
            assert time.monotonic() < deadline, "nothing was asked"
            time.sleep(LOOK_EVERY_S)
        self._ask("nvim_input", keys)

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

    def code_action_like(self, beginning: str) -> None:
        """Take the first code action at the cursor whose title begins like that."""
        self.lua(
            """local beginning, taken = ..., false
            vim.lsp.buf.code_action({
              apply = true,
              filter = function(action)
                local is_first = not taken and vim.startswith(action.title, beginning)
                taken = taken or is_first
                return is_first
              end,
            })""",
            beginning,
        )

    def wait_for_mark(self, row: int, message: str) -> None:
        """Until forge's first mark in the buffer is in that row, and its message begins like
        that."""
        self.wait(
            "vim.iter(vim.diagnostic.get(0)):any(function(mark) return mark.source == 'forge' "
            "and mark.lnum == a[1] and vim.startswith(mark.message, a[2]) end)",
            row,
            message,
        )

    def wait_for_no_mark(self) -> None:
        """Until nothing is marked in any buffer."""
        self.wait("#vim.diagnostic.get() == 0")

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
        ended = (
            "vim.iter(seen.runs):rfind(function(run) return vim.startswith(run.title, a[1]) end)"
        )
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
        lines = self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, true)")
        return "\n".join(lines) + "\n"

    def save_all(self) -> None:
        """What a person does when all is well."""
        self.lua("vim.cmd('silent wall')")

    def now_s(self) -> float:
        """The clock by which runs end."""
        return self.lua("return vim.uv.hrtime() / 1e9")

    def quit(self) -> None:
        """Leave, whatever isn't saved; Neovim goes a moment after its answer."""
        self.lua("vim.schedule(function() vim.cmd('qall!') end)")


@contextmanager
def opened(workspace: Path, home: Home, *, init: Path = INIT, **settings: str) -> Generator[Neovim]:
    """A Neovim in `workspace`; it and its server are gone afterwards, whatever happens."""
    binary = neovim()
    environment = home.environment(LANGUAGE_SERVER=json.dumps(LANGUAGE_SERVER), **settings)
    # The path of a socket may have no more than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="nvim-") as folder, _log(home) as output:
        place = Path(folder) / "socket"
        process = subprocess.Popen(
            [str(binary), "--headless", "--clean", "-u", init, "-n", "--listen", place],
            cwd=workspace,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            with _connected(place, process) as connection:
                editor = Neovim(connection)
                yield editor
                family = hold_family(process.pid)
                editor.quit()
            assert left_after(family, END_TIMEOUT_S) == []
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def _log(home: Home) -> Generator[int]:
    with (home.folder / "nvim.log").open("ab") as file:
        yield file.fileno()


def _connected(place: Path, process: subprocess.Popen[bytes]) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_TIMEOUT_S)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection.connect(str(place))
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                connection.close()
                raise
            time.sleep(LOOK_EVERY_S)
        else:
            return connection
