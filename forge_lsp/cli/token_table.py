"""The tokens as a table, and as JSON."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from forge_lsp.actions.accounts import FEATURES
from forge_lsp.clock import now_ms
from forge_lsp.ports.accounts import AccountRecord, TokenRecord

Tokens = Sequence[tuple[TokenRecord, AccountRecord]]


def token_table(tokens: Tokens) -> Table:
    """A row for each token, in the order given."""
    table = Table()
    for heading in ("id", "name", "account", "plan", "features", "scopes", "created", "expires"):
        table.add_column(heading, no_wrap=heading in ("id", "plan", "created", "expires"))
    table.add_column("state", no_wrap=True)
    for token, account in tokens:
        table.add_row(
            token.id,
            token.name,
            account.id,
            account.plan,
            " ".join(_features(account)),
            " ".join(token.scopes),
            _day(token.created_at),
            "never" if token.expires_at is None else _day(token.expires_at),
            _state(token),
        )
    return table


def documents(tokens: Tokens) -> list[dict[str, object]]:
    """The same for programs; times are milliseconds since the epoch."""
    return [
        {
            "id": token.id,
            "name": token.name,
            "account": account.id,
            "plan": account.plan,
            "features": list(_features(account)),
            "scopes": list(token.scopes),
            "createdAt": token.created_at,
            "expiresAt": token.expires_at,
            "revokedAt": token.revoked_at,
            "state": _state(token),
        }
        for token, account in tokens
    ]


def _features(account: AccountRecord) -> Sequence[str]:
    return FEATURES if account.plan == "pro" else account.features


def _state(token: TokenRecord) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= now_ms():
        return "expired"
    return "active"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d")
