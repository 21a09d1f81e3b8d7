"""VS Code as a server for browsers, with settings and extensions of its own."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import psutil
from e2e_home import Home
from e2e_tools import executable, lacking

from forge_lsp.settings import Places

PROJECT = Path(__file__).parents[2]
EXTENSION = PROJECT / "editors/vscode"
VSIX = EXTENSION / "dist/forge-lsp.vsix"
START_TIMEOUT_S = 60.0
INSTALL_TIMEOUT_S = 120.0
END_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.05
SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.reduceMotion": "on",
    "workbench.enableExperiments": False,
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.layoutControl.enabled": False,
    "window.autoDetectColorScheme": False,
    "window.commandCenter": False,
    "window.title": "${rootName}",
    "window.restoreWindows": "none",
    "chat.commandCenter.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "git.enabled": False,
    "typescript.disableAutomaticTypeAcquisition": True,
    "typescript.validate.enable": False,
    "json.schemaDownload.enable": False,
    "files.autoSave": "off",
    "files.simpleDialog.enable": True,
    "editor.accessibilitySupport": "off",
    "editor.minimap.enabled": False,
    "remote.autoForwardPorts": False,
    "security.workspace.trust.enabled": False,
}


@dataclass(frozen=True, slots=True)
class CodeServer:
    """One that runs."""

    url: str
    pid: int
    folder: Path
    """What is its own."""

    @contextmanager
    def having(self, settings: Mapping[str, object], where: str = "User") -> Generator[None]:
        """What windows that are opened meanwhile begin with, beside what the others do."""
        place = self.folder / "data" / where / "settings.json"
        before = place.read_text()
        place.write_text(json.dumps({**json.loads(before), **settings}))
        try:
            yield
        finally:
            place.write_text(before)

    def folder_url(self, folder: Path) -> str:
        """Where a folder is open."""
        return f"{self.url}/?folder={quote(str(folder))}"

    def suite_url(self, folder: Path) -> str:
        """Where the extension's own tests run, with `folder` open."""
        remote = f"vscode-remote://{self.url.removeprefix('http://')}"
        payload = [
            ["extensionDevelopmentPath", f"{remote}{EXTENSION}"],
            ["extensionTestsPath", f"{remote}{EXTENSION}/dist-test/suite.js"],
        ]
        return f"{self.folder_url(folder)}&payload={quote(json.dumps(payload))}"

    def newest_language_server(self) -> int | None:
        """The process that the window opened last, or its last restart, has begun."""
        family = psutil.Process(self.pid).children(recursive=True)
        ours = [each for each in family if any("forge-lsp" in part for part in _command(each))]
        living = [each for each in ours if each.status() != psutil.STATUS_ZOMBIE]
        return max(living, key=lambda each: each.create_time()).pid if living else None

    def workspace_url(self, file: Path) -> str:
        """Where a `.code-workspace` is open."""
        return f"{self.url}/?workspace={quote(str(file))}"


def program() -> Path:
    """Its entry, which `./dev test` installs."""
    chosen = os.environ.get("FORGE_CODE_SERVER")
    folder = Path(chosen) if chosen else Places.find().cache / "code-server"
    place = folder / "node_modules/code-server/out/node/entry.js"
    return place if place.exists() else lacking(f"{place} is not there: ./dev test installs it")


def packaged() -> Path:
    """The extension's package, which `./dev test` makes."""
    return VSIX if VSIX.exists() else lacking(f"{VSIX} is not there: ./dev test makes it")


@contextmanager
def serving(
    folder: Path, home: Home, vsix: Path | None, settings: Mapping[str, object], **variables: str
) -> Generator[CodeServer]:
    """One whose data is in `folder`; it and all that it started are gone afterwards."""
    data, extensions = folder / "data", folder / "extensions"
    for place, values in (("User", SETTINGS), ("Machine", settings)):
        # Settings of the machine's own scope are now and then lost where the user's are.
        (data / place).mkdir(parents=True)
        (data / place / "settings.json").write_text(json.dumps(values))
    extensions.mkdir()
    environment = _environment(home, **variables)
    where = ["--user-data-dir", str(data), "--extensions-dir", str(extensions)]
    command = [str(executable("node")), str(program()), *where]
    if vsix is not None:
        subprocess.run(
            [*command, "--install-extension", str(vsix)],
            check=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=INSTALL_TIMEOUT_S,
        )
    port = _free_port()
    options = ["--bind-addr", f"127.0.0.1:{port}", "--auth", "none"]
    quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"]
    with (folder / "code-server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options, *quiet],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        server = CodeServer(f"http://127.0.0.1:{port}", process.pid, folder)
        _wait_until_up(server, process)
        yield server
    finally:
        _end(process)


def _command(process: psutil.Process) -> Sequence[str]:
    """The last two parts of `… forge-lsp lsp` are what counts; what has ended has none."""
    with suppress(psutil.Error):
        line = process.cmdline()
        return line[-2:] if line[-1:] == ["lsp"] else ()
    return ()


def _environment(home: Home, **variables: str) -> dict[str, str]:
    mine = {
        name: value
        for name, value in home.environment(**variables).items()
        if not name.startswith(("VSCODE_", "CODE_SERVER")) and name not in ("PORT", "PASSWORD")
    }
    nowhere = {"serviceUrl": "", "itemUrl": "", "resourceUrlTemplate": ""}
    return {**mine, "EXTENSIONS_GALLERY": json.dumps(nowhere)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(server: CodeServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urlopen(f"{server.url}/healthz", timeout=1):
                return
        except (URLError, OSError):
            assert process.poll() is None, "code-server has ended"
            assert time.monotonic() < deadline, "code-server doesn't answer"
            time.sleep(LOOK_EVERY_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    for which in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, which)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT_S)
