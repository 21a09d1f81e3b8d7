"""What went wrong in the database, for people: never SQL, never contents, never a password."""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from msgspec import MsgspecError
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

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
_UNREACHABLE = (
    "can't be reached",
    "Check FORGE_DATABASE_URL, that its driver is installed and its server runs.",
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
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, _UNREACHABLE)
    if isinstance(error, ImportError | ArgumentError):
        return _UNREACHABLE
    return ("failed", "Try again; if it fails again, restart forge-lsp.")
