"""The token by which the machine's owner is known over HTTP."""

import hmac
import os
import secrets
from pathlib import Path

from forge_lsp.errors import StoreFailed
from forge_lsp.settings import Places, Settings

TOKEN_BYTES = 32


def owner_token(settings: Settings, places: Places) -> str:
    """FORGE_TOKEN where it is set, else the one on disk, made on first use (mode 0600).

    Raises `StoreFailed` where it can't be kept.
    """
    if settings.token is not None:
        return settings.token.reveal()
    path = places.state / "token"
    try:
        return _read(path) or _make(path)
    except OSError as error:
        raise StoreFailed(f"The token can't be kept in {path}: {error.strerror}.") from error


def same_token(given: str, known: str) -> bool:
    """Compared in a time that doesn't tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _make(path: Path) -> str:
    """Written aside and linked into place, so that two processes agree on one token."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f"token.{os.getpid()}")
    token = f"forge_{secrets.token_urlsafe(TOKEN_BYTES)}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
        os.link(aside, path)
    except FileExistsError:
        token = _read(path)
    finally:
        aside.unlink()
    return token
