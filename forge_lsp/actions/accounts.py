"""Who asks, and what they may: accounts, the tokens that stand for them, scopes and features."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import get_args

from forge_lsp.actions.engine import OWNER
from forge_lsp.actions.tokens import hash_of, id_in, make_token, same_token
from forge_lsp.clock import now_ms
from forge_lsp.errors import InvalidRequest, NotFound
from forge_lsp.ports.accounts import AccountRecord, Plan, Scope, TokenRecord
from forge_lsp.ports.store import Store

SCOPES: tuple[Scope, ...] = get_args(Scope)
USUAL_SCOPES: tuple[Scope, ...] = ("read", "generate", "sandbox")
FEATURES = ("inline_code_edit",)
"""What a pro account has, and a free one only where it was given."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf something is asked, and what the token lets them ask."""

    account: str
    plan: Plan
    features: frozenset[str]
    scopes: frozenset[Scope]

    def may(self, scopes: Collection[Scope]) -> bool:
        """Whether one of the scopes is theirs; `admin` stands for all."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    def has(self, feature: str) -> bool:
        """Whether their plan brings the feature, or it was given to them."""
        return self.plan == "pro" or feature in self.features


THE_OWNER = Caller(OWNER, "pro", frozenset(FEATURES), frozenset(SCOPES))


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token that is to be made."""

    name: str
    account: str | None = None
    """None: the one that is called as the token is."""
    plan: Plan | None = None
    """None: what the account has already, else free."""
    features: tuple[str, ...] = ()
    """Given to the account beside what it has."""
    scopes: tuple[Scope, ...] = USUAL_SCOPES
    lifetime_s: float | None = None
    """None: it never expires."""


@dataclass(frozen=True, slots=True)
class Recognized:
    """What became of a token that was shown."""

    caller: Caller | None
    is_expired: bool = False


async def create_token(store: Store, asked: TokenRequest) -> tuple[str, TokenRecord]:
    """Make a token, and its account where that isn't there; the text can't be had again.

    Raises `InvalidRequest` for a name or feature that can't be.
    """
    account_id = asked.account or asked.name
    for name in (asked.name, account_id):
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                f"{name[:80]!r} can't be a name: 1 to 64 letters, digits, dots, dashes and "
                "underscores can, a letter or digit first."
            )
    for feature in asked.features:
        if feature not in FEATURES:
            raise InvalidRequest(
                f"There is no feature {feature[:80]!r}.", remedy=f"There is {', '.join(FEATURES)}."
            )
    now = now_ms()
    account = _brought_up_to_date(await store.account(account_id), account_id, asked, now)
    text, token_id = make_token()
    token = TokenRecord(
        id=token_id,
        account=account_id,
        name=asked.name,
        hash=hash_of(text),
        scopes=tuple(dict.fromkeys(asked.scopes)),
        created_at=now,
        expires_at=None if asked.lifetime_s is None else now + round(asked.lifetime_s * 1000),
    )
    await store.save_token(token, account)
    return text, token


async def revoke_tokens(store: Store, name_or_id: str) -> Sequence[str]:
    """Revoke the tokens of this name or id, at once and in all processes; gives their ids.

    A token itself will do, too: whoever found one that leaked has no more. Raises `NotFound`
    where there is none that wasn't revoked before.
    """
    name_or_id = id_in(name_or_id) or name_or_id
    revoked = await store.revoke_tokens(name_or_id, now_ms())
    if not revoked:
        raise NotFound(
            f"There is no token {name_or_id[:80]!r} that could be revoked.",
            remedy="`forge-lsp token list` shows them all.",
        )
    return revoked


async def recognize(store: Store, text: str) -> Recognized:
    """Whom a token stands for now; asks the store each time, so that a revoked one is one."""
    token_id = id_in(text)
    found = None if token_id is None else await store.token(token_id)
    if found is None:
        return Recognized(None)
    token, account = found
    if not same_token(hash_of(text), token.hash) or token.revoked_at is not None:
        return Recognized(None)
    if token.expires_at is not None and token.expires_at <= now_ms():
        return Recognized(None, is_expired=True)
    features = frozenset(account.features)
    return Recognized(Caller(account.id, account.plan, features, frozenset(token.scopes)))


def _brought_up_to_date(
    known: AccountRecord | None, account_id: str, asked: TokenRequest, now: int
) -> AccountRecord:
    plan = asked.plan or (known.plan if known else "free")
    if account_id == OWNER:
        if asked.plan == "free":
            raise InvalidRequest("The owner's account is a pro account.")
        plan = "pro"
    features = {*(known.features if known else ()), *asked.features}
    return AccountRecord(
        account_id, plan, tuple(sorted(features)), known.created_at if known else now
    )
