"""A PostgreSQL server of the tests' own, on a socket in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL

START_TIMEOUT_S = 60
_LOOSE = {"fsync": "off", "full_page_writes": "off"}
"""What is written need not outlive the machine."""


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's own programs, the newest's; None where there is none."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parts[-3]),
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
        initdb = ["initdb", "-D", str(self._data), "-U", "forge", "-A", "trust", "-E", "UTF8"]
        self._run(*initdb, "--no-sync", "--no-instructions", "--locale=C.UTF-8")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = " ".join(f"-c {name}={value}" for name, value in _LOOSE.items())
        socket = f"-k {self._folder} -c listen_addresses= {options}"
        waiting = ["-w", "-t", str(START_TIMEOUT_S)]
        log = ["-l", str(self._folder / "log")]
        self._run("pg_ctl", "start", "-D", str(self._data), *waiting, *log, "-o", socket)

    def stop(self) -> None:
        """End it as a crash of its machine would: whoever is connected is cut off."""
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate", "-w")

    @contextmanager
    def database(self) -> Generator[str]:
        """The URL of an empty database, which is gone afterwards."""
        self._made += 1
        name = f"forge_{self._made}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield self.url(name).render_as_string(hide_password=False)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str) -> URL:
        """How a database of it is named."""
        query = {"host": str(self._folder)}
        return URL.create("postgresql", "forge", database=database, query=query)

    def execute(self, statement: str) -> None:
        """Carry out a statement that goes beyond one database."""
        to = f"host={self._folder} user=forge dbname=postgres"
        with psycopg.connect(to, autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        # What is started in the background must not keep our pipe open.
        with (self._folder / "said").open("w+b") as said:
            command = [str(self._binaries / program), *arguments]
            ran = subprocess.run(
                command,
                check=False,
                user=self._user,
                group=self._user and pwd.getpwnam(self._user).pw_gid,
                extra_groups=self._user and [],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=2 * START_TIMEOUT_S,
            )
            said.seek(0)
            assert ran.returncode == 0, said.read().decode(errors="replace")


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
