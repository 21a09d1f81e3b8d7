"""Where the log goes: stderr and a rotating file, never stdout.

Each line says which request and which run it belongs to, where it belongs to one. With
`FORGE_LOG_FORMAT=json` each is an object, for programs that collect logs.
"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from forge_lsp.http import correlation

DEFAULT_LEVEL = "info"
MAX_FILE_BYTES = 2_000_000
KEPT_FILES = 3

_TALKATIVE = (
    *("anthropic", "httpx2", "httpcore2", "aiohttp.access", "asyncio"),
    *("pygls", "alembic", "sqlalchemy"),
)
"""Loggers that tell of every request, at some levels with what is in it: prompts, and code."""
_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s:%(ids)s %(message)s"


def start_logging(level: str = DEFAULT_LEVEL, file: Path | None = None) -> None:
    """Log to stderr and to `file`, by default `log/forge-lsp.log` in the state folder."""
    wants_json = os.environ.get("FORGE_LOG_FORMAT", "").lower() == "json"
    formatter = JsonLines() if wants_json else TextLines(_FORMAT)
    handlers = (logging.StreamHandler(sys.stderr), _LateFile(file))
    for handler in handlers:
        handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """A line for people; the ids stand before the message that doesn't name them itself."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's own name.
        """See `logging.Formatter`."""
        ids = correlation.ids(record.message).values()
        unsaid = [each for each in ids if each not in record.message]
        record.__dict__["ids"] = f" [{' '.join(unsaid)}]" if unsaid else ""
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """An object a line: time, level, pid, logger, message, and the ids that there are."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        import json

        moment = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        message = record.getMessage()
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "pid": record.process,
            "logger": record.name,
            "message": message,
            **correlation.ids(message),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


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
