"""Accounts of the HTTP API and what is theirs, as it is kept: tokens, answers, apps and skills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from forge_lsp.paths import ProjectPath

Plan = Literal["free", "pro"]
Scope = Literal["read", "generate", "sandbox", "admin"]


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """Whose sandboxes, runs and conversations something is."""

    id: str
    plan: Plan
    features: tuple[str, ...]
    """What it may use beside what its plan brings."""
    created_at: int
    """Milliseconds since the epoch, as every time here."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is kept of a token: enough to know it again, and not enough to write it."""

    id: str
    account: str
    name: str
    hash: str
    """SHA-256 of the whole token, in hexadecimal."""
    scopes: tuple[Scope, ...]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """What a request with an idempotency key was answered, or that somebody is about to."""

    account: str
    key: str
    """SHA-256 of the key, as `fingerprint` is one of the request."""
    fingerprint: str
    owner: str
    """The process that answers it."""
    claimed_at: int
    run_id: str | None = None
    """Of an answer that is a stream."""
    status: int | None = None
    """Of any other; None until it is there."""
    headers: str = ""
    """A JSON object."""
    body: bytes = b""

    @property
    def is_answered(self) -> bool:
        """Whether the answer can be given again."""
        return self.run_id is not None or self.status is not None


AppStatus = Literal["draft", "ready", "deployed"]


@dataclass(frozen=True, slots=True)
class AppRecord:
    """An app that was built over HTTP; its files are kept beside it."""

    id: str
    account: str
    chat_id: str
    """The conversation in which it is changed; its messages are kept under this id."""
    workspace_id: str
    """The project whose sandbox shows it."""
    prompt: str
    template: str
    status: AppStatus
    created_at: int
    updated_at: int
    preview_url: str | None = None
    deploy_url: str | None = None


@dataclass(frozen=True, slots=True)
class SkillRecord:
    """A skill or augmenter of an account's own."""

    account: str
    alias: str
    title: str
    description: str
    kind: Literal["critique", "augmenter"]
    system_prompt: str
    created_at: int
    sample_args: str = ""
    """A JSON value; empty where none was given."""
    tags: tuple[str, ...] = ()


class AccountStore(Protocol):
    """A part of `Store`."""

    async def account(self, account_id: str) -> AccountRecord | None: ...

    async def save_token(self, token: TokenRecord, account: AccountRecord) -> None:
        """Write a new token, and its account: a new one, or the plan and features of today."""
        ...

    async def token(self, token_id: str) -> tuple[TokenRecord, AccountRecord] | None:
        """The token of this id, revoked and expired ones too, with its account."""
        ...

    async def tokens(self) -> Sequence[tuple[TokenRecord, AccountRecord]]:
        """All, the oldest first."""
        ...

    async def revoke_tokens(self, name_or_id: str, at: int) -> Sequence[str]:
        """Revoke the tokens of this name or id; gives the ids of those that weren't yet."""
        ...

    async def claim_answer(self, claim: AnswerRecord, *, since: int) -> AnswerRecord | None:
        """Keep the claim, unless one of the same account and key is there, which is given then.

        Answers that were claimed before `since` are forgotten first.
        """
        ...

    async def save_answer(self, answer: AnswerRecord) -> None:
        """Bring a claim up to date, where it still is the same process's."""
        ...

    async def drop_answer(self, answer: AnswerRecord) -> None:
        """Forget a claim, where it still is the same process's."""
        ...

    async def save_app(self, app: AppRecord) -> None:
        """Write it, or bring it up to date."""
        ...

    async def app(self, app_id: str) -> AppRecord | None: ...

    async def app_of_chat(self, chat_id: str) -> AppRecord | None: ...

    async def apps(
        self, account: str, *, limit: int, before: tuple[int, str] | None = None
    ) -> Sequence[AppRecord]:
        """The newest first; with `before` those behind the one that was created then and has
        that id."""
        ...

    async def delete_app(self, app_id: str) -> None:
        """With its files; one that isn't there is a success."""
        ...

    async def app_files(self, app_id: str) -> Mapping[ProjectPath, bytes]:
        """Its files as they are now, sorted by path."""
        ...

    async def put_app_files(
        self, app_id: str, contents: Mapping[ProjectPath, bytes | None]
    ) -> None:
        """Write these files, and take away those that are None; others stay."""
        ...

    async def save_skill(self, skill: SkillRecord) -> None:
        """Write it in place of the account's one with that alias."""
        ...

    async def skill(self, account: str, alias: str) -> SkillRecord | None: ...

    async def skills(self, account: str) -> Sequence[SkillRecord]:
        """By alias."""
        ...
