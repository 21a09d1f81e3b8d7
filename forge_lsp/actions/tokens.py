"""The tokens by which people and programs are known over HTTP.

The owner's lies in a file of theirs. Of every other the store has the hash alone: a token holds
32 random bytes, so a plain SHA-256 tells nothing of it.
"""

import hmac
import os
import re
import secrets
from hashlib import sha256
from pathlib import Path

from forge_lsp.errors import StoreFailed
from forge_lsp.settings import Places, Settings

TOKEN_BYTES = 32
ID_BYTES = 6
_MADE = re.compile(r"forge-([0-9a-f]{12})-[A-Za-z0-9_-]{43}", re.ASCII)


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


def make_token() -> tuple[str, str]:
    """A new token, and the id that stands in it for people to tell it by."""
    token_id = secrets.token_hex(ID_BYTES)
    return f"forge-{token_id}-{secrets.token_urlsafe(TOKEN_BYTES)}", token_id


def id_in(token: str) -> str | None:
    """The id of a token that `make_token` may have made."""
    found = _MADE.fullmatch(token)
    return found and found[1]


def hash_of(token: str) -> str:
    """What the store keeps of it."""
    return sha256(token.encode()).hexdigest()


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
