"""Where the log goes: stderr and a rotating file, never stdout."""

import logging
import sys
from pathlib import Path
from typing import Any

DEFAULT_LEVEL = "info"
MAX_FILE_BYTES = 2_000_000
KEPT_FILES = 3

_TALKATIVE = (
    *("anthropic", "httpx2", "httpcore2", "aiohttp.access", "asyncio"),
    *("pygls", "alembic", "sqlalchemy"),
)
"""Loggers that tell of every request, at some levels with what is in it: prompts, and code."""
_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


def start_logging(level: str = DEFAULT_LEVEL, file: Path | None = None) -> None:
    """Log to stderr and to `file`, by default `log/forge-lsp.log` in the state folder."""
    formatter = logging.Formatter(_FORMAT)
    handlers = (logging.StreamHandler(sys.stderr), _LateFile(file))
    for handler in handlers:
        handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class _LateFile(logging.Handler):
    """A rotating file that is opened for its first line.

    Where it is has to be looked up, and that must not stand in the way of the server's start.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path
        self._file: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line; a log that can't be written stops nobody."""
        try:
            if self._file is None:
                self._file = self._open()
            self._file.emit(record)
        except OSError as error:
            self._file = logging.NullHandler()
            place = error.filename or self._path
            sys.stderr.write(f"forge-lsp: the log {place} can't be written ({error.strerror}).\n")

    def close(self) -> None:
        """Close the file if it was ever needed."""
        if self._file is not None:
            self._file.close()
        super().close()

    def _open(self) -> logging.Handler:
        from logging.handlers import RotatingFileHandler

        path = self._path or _default_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        options: dict[str, Any] = {"maxBytes": MAX_FILE_BYTES, "backupCount": KEPT_FILES}
        file = RotatingFileHandler(path, encoding="utf-8", errors="backslashreplace", **options)
        file.setFormatter(self.formatter)
        return file


def _default_path() -> Path:
    from forge_lsp.settings import Places

    return Places.find().state / "log" / "forge-lsp.log"
