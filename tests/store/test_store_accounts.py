import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from forge_lsp.errors import StoreFailed
from forge_lsp.events import RunFinished, Usage
from forge_lsp.ports.accounts import AccountRecord, AnswerRecord, TokenRecord
from forge_lsp.ports.store import RunRecord, Store

ACCOUNT = AccountRecord("ci", "free", ("inline_code_edit",), 1)
TOKEN = TokenRecord("t1", "ci", "nightly", "0" * 64, ("read", "generate"), 2, expires_at=9)
CLAIM = AnswerRecord("ci", "k" * 64, "f" * 64, "process 1", 100)

OpenStore = Callable[[], Awaitable[Store]]


async def test_a_token_comes_back_with_its_account(store: Store, open_another: OpenStore):
    await store.save_token(TOKEN, ACCOUNT)
    another = await open_another()
    assert await another.token("t1") == (TOKEN, ACCOUNT)
    assert await another.account("ci") == ACCOUNT
    assert await another.token("t2") is None
    assert await another.account("nobody") is None


async def test_an_account_is_brought_up_to_date_by_its_next_token(store: Store):
    await store.save_token(TOKEN, ACCOUNT)
    pro = replace(ACCOUNT, plan="pro", features=(), created_at=7)
    second = replace(TOKEN, id="t2", created_at=3)
    await store.save_token(second, pro)
    kept = replace(pro, created_at=1)
    assert await store.tokens() == [(TOKEN, kept), (second, kept)]


async def test_no_token_is_written_over(store: Store):
    await store.save_token(TOKEN, ACCOUNT)
    with pytest.raises(StoreFailed):
        await store.save_token(replace(TOKEN, hash="1" * 64), ACCOUNT)
    assert await store.token("t1") == (TOKEN, ACCOUNT)


async def test_tokens_are_revoked_by_name_or_id_once(store: Store):
    for number in (1, 2, 3):
        name = "nightly" if number < 3 else "other"
        await store.save_token(replace(TOKEN, id=f"t{number}", name=name), ACCOUNT)
    assert await store.revoke_tokens("t1", 50) == ["t1"]
    assert await store.revoke_tokens("nightly", 60) == ["t2"]
    assert await store.revoke_tokens("nightly", 70) == []
    assert await store.revoke_tokens("' OR 1 --", 70) == []
    assert [token.revoked_at for token, _ in await store.tokens()] == [50, 60, None]


async def test_what_an_account_took_is_summed_up_from_a_moment_on(
    store: Store, a_run: Callable[..., RunRecord], entries: Callable[..., list[Any]]
):
    for run_id, account, started_at in (
        ("run_1", "ci", 1000),
        ("run_2", "ci", 999),
        ("run_3", "owner", 1000),
    ):
        await store.create_run(a_run(run_id, account=account, started_at=started_at))
        await store.append(entries(Usage("m", 10, 3), Usage("m", 1, 1), run_id=run_id))
    assert await store.model_tokens("ci", 1000) == 15
    assert await store.model_tokens("ci", 999) == 30
    assert await store.model_tokens("nobody", 0) == 0


async def test_an_ended_run_has_no_owner_any_more(
    store: Store, a_run: Callable[..., RunRecord], entries: Callable[..., list[Any]]
):
    for run_id in ("run_1", "run_2"):
        await store.create_run(a_run(run_id, account="ci"))
    assert await store.owners_of_open_runs("ci") == ["process 1", "process 1"]
    await store.append(entries(RunFinished("completed")))
    assert await store.owners_of_open_runs("ci") == ["process 1"]
    assert await store.owners_of_open_runs("owner") == []


async def test_a_key_is_claimed_by_one_of_many(open_another: OpenStore):
    stores = [await open_another() for _ in range(3)]
    claims = [replace(CLAIM, owner=f"process {number}") for number in range(12)]
    found = await asyncio.gather(
        *(stores[i % 3].claim_answer(claim, since=0) for i, claim in enumerate(claims))
    )
    assert found.count(None) == 1
    winner = claims[found.index(None)]
    assert all(each in (None, winner) for each in found)


async def test_an_answer_is_kept_for_the_one_who_claimed_it(store: Store):
    assert await store.claim_answer(CLAIM, since=0) is None
    assert not CLAIM.is_answered
    await store.save_answer(replace(CLAIM, owner="process 2", status=200, body=b"theirs"))
    assert await store.claim_answer(CLAIM, since=0) == CLAIM
    answered = replace(CLAIM, status=201, headers='{"ETag":"1"}', body=b"\x00\xff")
    await store.save_answer(answered)
    assert await store.claim_answer(replace(CLAIM, owner="process 2"), since=0) == answered
    assert await store.claim_answer(replace(CLAIM, account="other"), since=0) is None


async def test_a_dropped_claim_is_free_again_unless_it_is_somebody_elses(store: Store):
    await store.claim_answer(CLAIM, since=0)
    other = replace(CLAIM, owner="process 2")
    await store.drop_answer(other)
    assert await store.claim_answer(other, since=0) == CLAIM
    await store.drop_answer(CLAIM)
    assert await store.claim_answer(other, since=0) is None


async def test_old_answers_are_forgotten(store: Store):
    await store.claim_answer(CLAIM, since=0)
    await store.claim_answer(replace(CLAIM, key="other"), since=0)
    later = replace(CLAIM, claimed_at=500)
    assert await store.claim_answer(later, since=101) is None
    assert await store.claim_answer(replace(CLAIM, key="other"), since=100) is None
