"""A PostgreSQL server of the tests' own, on a socket in a folder of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL

WAIT_S = 60
_LOOSE = {"fsync": "off", "full_page_writes": "off", "listen_addresses": ""}
"""What is written outlives the server and need not outlive the machine."""


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's own programs, the newest's; None where there is none."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    found = str(installed[-1]) if installed else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Cluster:
    """A server and its databases; only its socket leads to it."""

    def __init__(self, binaries: Path, folder: Path, user: str | None) -> None:
        self._binaries = binaries
        self._folder = folder
        self._user = user
        """As whom it runs; None for ourselves."""
        self._made = 0
        self._server: subprocess.Popen[bytes] | None = None
        how = ["-U", "forge", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = self._spawn([str(binaries / "initdb"), "-D", self._data, *how])
        assert made.wait(WAIT_S) == 0, (folder / "log").read_text()

    def start(self) -> None:
        """Start it and wait until it answers."""
        server = [str(self._binaries / "postgres"), "-D", self._data, "-k", str(self._folder)]
        loose = [part for name, value in _LOOSE.items() for part in ("-c", f"{name}={value}")]
        # It ends with us, whatever ends us.
        self._server = self._spawn(["setpriv", "--pdeathsig", "QUIT", *server, *loose])
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                is_up = self._server.poll() is None and time.monotonic() < deadline
                assert is_up, (self._folder / "log").read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        """End it as a crash would: whoever is connected is cut off."""
        assert self._server
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(WAIT_S)

    @contextmanager
    def database(self) -> Generator[str]:
        """The URL of an empty database, which is gone afterwards."""
        self._made += 1
        name = f"forge_{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            query = {"host": str(self._folder)}
            yield URL.create("postgresql", "forge", database=name, query=query).render_as_string()
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Carry out a statement that goes beyond one database."""
        to = f"host={self._folder} user=forge dbname=postgres"
        with psycopg.connect(to, autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _spawn(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        known = pwd.getpwnam(self._user) if self._user else None
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=known.pw_uid if known else None,
                group=known.pw_gid if known else None,
                extra_groups=[] if known else None,
            )


@contextmanager
def a_cluster(binaries: Path) -> Generator[Cluster]:
    """A server that runs; nothing of it is left afterwards."""
    # PostgreSQL refuses to run as root, and wants a user that the system knows.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="forge-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        cluster = Cluster(binaries, folder, user)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)
