"""Accounts and their tokens, as rows."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from forge_lsp.ports.accounts import AccountRecord, TokenRecord
from forge_lsp.store import engine, schema

_accounts = schema.accounts.c
_tokens = schema.tokens.c

_account_by_id = select(schema.accounts).where(_accounts.id == bindparam("of"))
_all_tokens = (
    select(
        schema.tokens,
        _accounts.plan,
        _accounts.features,
        _accounts.created_at.label("account_created_at"),
    )
    .join(schema.accounts, _accounts.id == _tokens.account)
    .order_by(_tokens.created_at, _tokens.id)
)
_token_by_id = _all_tokens.where(_tokens.id == bindparam("of"))


def save(connection: Connection, token: TokenRecord, account: AccountRecord) -> None:
    """Write the account, then the token that is its."""
    row = asdict(account) | {"features": " ".join(account.features)}
    # Two processes may make the same account at once.
    connection.execute(engine.insert_new(connection, schema.accounts), row)
    connection.execute(
        update(schema.accounts).where(_accounts.id == account.id),
        {"plan": row["plan"], "features": row["features"]},
    )
    connection.execute(insert(schema.tokens), asdict(token) | {"scopes": " ".join(token.scopes)})


def one_account(connection: Connection, account_id: str) -> AccountRecord | None:
    """The account of this id."""
    row = connection.execute(_account_by_id, {"of": account_id}).one_or_none()
    if row is None:
        return None
    return AccountRecord(row.id, row.plan, _words(row.features), row.created_at)


def one_token(connection: Connection, token_id: str) -> tuple[TokenRecord, AccountRecord] | None:
    """The token of this id with its account."""
    row = connection.execute(_token_by_id, {"of": token_id}).one_or_none()
    return None if row is None else _pair(row)


def all_tokens(connection: Connection) -> Sequence[tuple[TokenRecord, AccountRecord]]:
    """All, the oldest first."""
    return [_pair(row) for row in connection.execute(_all_tokens)]


def revoke(connection: Connection, name_or_id: str, at: int) -> Sequence[str]:
    """Revoke the tokens of this name or id; gives the ids of those that weren't yet."""
    meant = or_(_tokens.id == name_or_id, _tokens.name == name_or_id)
    revoking = update(schema.tokens).where(meant, _tokens.revoked_at.is_(None))
    return connection.scalars(revoking.values(revoked_at=at).returning(_tokens.id)).all()


def _pair(row: Row[Any]) -> tuple[TokenRecord, AccountRecord]:
    token = TokenRecord(
        id=row.id,
        account=row.account,
        name=row.name,
        hash=row.hash,
        scopes=_words(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
    features = _words(row.features)
    return token, AccountRecord(row.account, row.plan, features, row.account_created_at)


def _words(text: str) -> tuple[Any, ...]:
    return tuple(text.split())
