"""What went wrong in the database, for people: never SQL, never contents, never a password."""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from msgspec import MsgspecError
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from forge_lsp.errors import PathRefused, StoreFailed

_LOCKED = (
    "is locked by another process",
    "Close other programs that have it open, then try again.",
)
_FULL = ("has no room left on its disk", "Free some space, then try again.")
_UNWRITABLE = (
    "can't be written",
    "Check that you may write the file and its folder, or set FORGE_HOME to another folder.",
)
_BROKEN_DISK = ("could not be read or written: the disk failed", "Check the disk, then try again.")
_DAMAGED = (
    "is damaged, or is no database",
    "Move the file away and start again: a new one is made.",
)
_UNFITTING = (
    "refused records that don't go with those it holds, and none was written",
    "Start the run again.",
)
_UNREADABLE = (
    "holds something that this version of forge-lsp can't take",
    "Update forge-lsp, then try again.",
)
_FAILED = ("failed", "Try again; if it fails again, restart forge-lsp.")
_UNREACHABLE = (
    "can't be reached",
    "Check FORGE_DATABASE_URL, its password too, that its driver is installed and its server runs.",
)

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _UNWRITABLE,
    sqlite3.SQLITE_PERM: _UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: _UNWRITABLE,
    sqlite3.SQLITE_IOERR: _BROKEN_DISK,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""By the primary result code: the lower 8 bits of what SQLite says."""

_READ_ONLY = (
    "takes no changes: it is read-only, or its user may not write there",
    "Name a database in FORGE_DATABASE_URL that may be written, with a user who may.",
)
_CROWDED = ("takes no more connections", "Wait a minute, or raise its max_connections.")

_BY_SQLSTATE = {
    "08": _UNREACHABLE,
    "22": _UNREADABLE,
    "23": _UNFITTING,
    "25006": _READ_ONLY,
    "42501": _READ_ONLY,
    "53100": _FULL,
    "53300": _CROWDED,
    "57P": _UNREACHABLE,
    "58": _BROKEN_DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
"""By what PostgreSQL's five-character code begins with."""

_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _UNWRITABLE,
    errno.EPERM: _UNWRITABLE,
    errno.EROFS: _UNWRITABLE,
    errno.ENOENT: _UNWRITABLE,
    errno.EISDIR: _UNWRITABLE,
    errno.ENOTDIR: _UNWRITABLE,
    errno.EIO: _BROKEN_DISK,
}


@contextmanager
def explained(place: str) -> Generator[None]:
    """Turn what the database, its driver and the disk raise into `StoreFailed`.

    `place` is how people know the database: its file, or its server and name.
    """
    try:
        yield
    except (
        SQLAlchemyError,
        OSError,
        ImportError,
        MsgspecError,
        UnicodeError,
        PathRefused,
    ) as error:
        happened, remedy = _what_happened(error)
        raise StoreFailed(f"The database {place} {happened}.", remedy=remedy) from error


def _what_happened(error: Exception) -> tuple[str, str]:
    if isinstance(error, MsgspecError | UnicodeError | PathRefused):
        return _UNREADABLE
    if isinstance(error, IntegrityError):
        return _UNFITTING
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return _BY_SQLITE_CODE.get(code & 0xFF, ("refused what was asked of it", ""))
        if isinstance(error, DataError):
            return _UNREADABLE
        return _of_sqlstate(getattr(error.orig, "sqlstate", None))
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, _UNREACHABLE)
    if isinstance(error, ImportError | ArgumentError):
        return _UNREACHABLE
    return _FAILED


def _of_sqlstate(code: str | None) -> tuple[str, str]:
    # A server that isn't there has no code to say so with.
    if code is None:
        return _UNREACHABLE
    found = (told for start, told in _BY_SQLSTATE.items() if code.startswith(start))
    return next(found, _FAILED)
