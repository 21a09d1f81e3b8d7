"""The port `AccountStore` over SQL."""

from collections.abc import Mapping, Sequence

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import (
    AccountRecord,
    AnswerRecord,
    AppRecord,
    SkillRecord,
    TokenRecord,
)
from forge_lsp.store import accounts, answers, apps
from forge_lsp.store.database import Database


class SqlAccounts(Database):
    """Accounts and what is theirs; a part of `SqlStore`."""

    async def account(self, account_id: str) -> AccountRecord | None:
        """The account of this id."""
        return await self._read(accounts.one_account, account_id)

    async def save_token(self, token: TokenRecord, account: AccountRecord) -> None:
        """Write a new token, and its account: a new one, or the plan and features of today."""
        await self._write(accounts.save, token, account)

    async def token(self, token_id: str) -> tuple[TokenRecord, AccountRecord] | None:
        """The token of this id with its account."""
        return await self._read(accounts.one_token, token_id)

    async def tokens(self) -> Sequence[tuple[TokenRecord, AccountRecord]]:
        """All, the oldest first."""
        return await self._read(accounts.all_tokens)

    async def revoke_tokens(self, name_or_id: str, at: int) -> Sequence[str]:
        """Revoke the tokens of this name or id; gives the ids of those that weren't yet."""
        return await self._write(accounts.revoke, name_or_id, at)

    async def claim_answer(self, claim: AnswerRecord, *, since: int) -> AnswerRecord | None:
        """Keep the claim, or give the one that is there; forget those from before `since`."""
        return await self._write(answers.claim, claim, since)

    async def save_answer(self, answer: AnswerRecord) -> None:
        """Bring a claim up to date, where it still is the same process's."""
        await self._write(answers.save, answer)

    async def drop_answer(self, answer: AnswerRecord) -> None:
        """Forget a claim, where it still is the same process's."""
        await self._write(answers.drop, answer)

    async def save_app(self, app: AppRecord) -> None:
        """Write it, or bring it up to date."""
        await self._write(apps.save, app)

    async def app(self, app_id: str) -> AppRecord | None:
        """The app of this id."""
        return await self._read(apps.one, app_id)

    async def app_of_chat(self, chat_id: str) -> AppRecord | None:
        """The app that is changed in this conversation."""
        return await self._read(apps.of_chat, chat_id)

    async def apps(
        self, account: str, *, limit: int, before: tuple[int, str] | None = None
    ) -> Sequence[AppRecord]:
        """The newest first; with `before` those behind that one."""
        return await self._read(apps.newest, account, limit, before)

    async def delete_app(self, app_id: str) -> None:
        """With its list of files."""
        await self._write(apps.remove, app_id)

    async def app_files(self, app_id: str) -> Mapping[ProjectPath, bytes]:
        """Its files as they are now, sorted by path."""
        return await self._read(apps.files, app_id)

    async def put_app_files(
        self, app_id: str, contents: Mapping[ProjectPath, bytes | None]
    ) -> None:
        """Write these files, and take away those that are None; others stay."""
        await self._write(apps.put_files, app_id, contents)

    async def save_skill(self, skill: SkillRecord) -> None:
        """Write it in place of the account's one with that alias."""
        await self._write(apps.save_skill, skill)

    async def skill(self, account: str, alias: str) -> SkillRecord | None:
        """The account's skill of this alias."""
        return await self._read(apps.one_skill, account, alias)

    async def skills(self, account: str) -> Sequence[SkillRecord]:
        """The account's skills, by alias."""
        return await self._read(apps.all_skills, account)
