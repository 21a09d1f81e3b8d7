"""`forge-lsp serve`, asked by the real curl."""

import json
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_home import Home
from e2e_processes import hold_family, left_after
from e2e_tools import FORGE, executable

REQUEST_TIMEOUT_S = 60
START_TIMEOUT_S = 20
END_TIMEOUT_S = 5.0

Payload = dict[str, Any]


class Stream:
    """A stream of server-sent events as curl prints it."""

    def __init__(self, process: subprocess.Popen[str], headers: Path) -> None:
        self._process = process
        self._headers = headers

    def __iter__(self) -> Iterator[Payload]:
        """Each event as it comes; anything but `data:` lines and blank ones is a fault."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line != "\n":
                assert line.startswith("data: "), line
                yield json.loads(line.removeprefix("data: "))

    @property
    def run_id(self) -> str:
        """What the head of the answer says, once the first event is there."""
        head = self._headers.read_text().splitlines()
        return next(line.partition(": ")[2] for line in head if line.startswith("X-Run-Id: "))


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs, and the token that it takes."""

    url: str
    token: str

    def get(self, path: str) -> Payload:
        """The JSON of a GET that goes well."""
        return self._answer(path)

    def post(self, path: str, body: object) -> Payload:
        """The JSON of a POST that goes well."""
        return self._answer(path, "--json", json.dumps(body))

    def patch(self, path: str, body: object) -> Payload:
        """The JSON of a PATCH that goes well."""
        return self._answer(path, "--request", "PATCH", "--json", json.dumps(body))

    @contextmanager
    def stream(self, path: str, body: str) -> Generator[Stream]:
        """POST exactly this body and read the events as they come."""
        with tempfile.NamedTemporaryFile(prefix="curl-head-") as head:
            command = self._command(path, "--no-buffer", "--json", body, "--dump-header", head.name)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                try:
                    yield Stream(process, Path(head.name))
                    assert process.wait(REQUEST_TIMEOUT_S) == 0
                finally:
                    process.kill()

    def events(self, path: str, body: str) -> Sequence[Payload]:
        """All events of a stream but its heartbeats, which come with time alone."""
        with self.stream(path, body) as stream:
            return [event for event in stream if event["type"] != "heartbeat"]

    def lines(self, path: str, body: str) -> Sequence[Payload]:
        """Everything that a stream of JSON lines says that goes well."""
        accept = "Accept: application/x-ndjson"
        done = subprocess.run(
            self._command(
                path, "--fail-with-body", "--no-buffer", "--header", accept, "--json", body
            ),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return [json.loads(line) for line in done.stdout.split("\n") if line.strip()]

    def _answer(self, path: str, *options: str) -> Payload:
        done = subprocess.run(
            self._command(path, "--fail-with-body", *options),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout)

    def _command(self, path: str, *options: str) -> Sequence[str]:
        return (
            *(str(executable("curl")), "--silent", "--noproxy", "*"),
            *("--max-time", str(REQUEST_TIMEOUT_S)),
            *("--header", f"Authorization: Bearer {self.token}"),
            *options,
            self.url + path,
        )


def mounted(home: Home) -> Server:
    """What the one language server of this home has mounted."""
    (place,) = (home.folder / "forge").glob("**/servers/*.json")
    return Server(json.loads(place.read_text())["url"], _token(home.environment()))


@contextmanager
def served(home: Home, **settings: str) -> Generator[Server]:
    """A server of this home's; it is gone afterwards with all that it started."""
    environment = home.environment(**settings)
    with (
        (home.folder / "serve.log").open("ab") as errors,
        subprocess.Popen(
            [*FORGE, "serve"], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["pid"] == process.pid
            yield Server(ready["url"], _token(environment))
            family = hold_family(process.pid)
            process.terminate()
            assert left_after(family, END_TIMEOUT_S) == []
        finally:
            process.kill()


def _token(environment: Mapping[str, str]) -> str:
    shown = subprocess.check_output(
        [*FORGE, "token", "show"], env=environment, text=True, timeout=START_TIMEOUT_S
    )
    return shown.strip()
