from collections.abc import Awaitable, Callable
from dataclasses import replace

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.accounts import AppRecord, SkillRecord
from forge_lsp.ports.store import Store

OpenStore = Callable[[], Awaitable[Store]]

APP = AppRecord(
    "app_1", "ci", "chat_1", "app_1", "A page", "vite-react-ts", "draft", 10, 10, "http://x/"
)
SKILL = SkillRecord("ci", "tone", "Tone", "How it reads", "critique", "Read it.", 5, "{}", ("a b",))
A, B = ProjectPath.parse("src/a.ts"), ProjectPath.parse("b.ts")


async def test_an_app_comes_back_and_is_brought_up_to_date(store: Store, open_another: OpenStore):
    await store.save_app(APP)
    ready = replace(APP, status="ready", updated_at=20, preview_url=None)
    await store.save_app(ready)
    another = await open_another()
    assert await another.app("app_1") == ready
    assert await another.app_of_chat("chat_1") == ready
    assert await another.app("app_2") is None
    assert await another.app_of_chat("app_1") is None


async def test_apps_come_in_pages_the_newest_first(store: Store):
    for number, at in ((1, 10), (2, 30), (3, 20), (4, 20)):
        of_this = {"id": f"app_{number}", "chat_id": f"chat_{number}", "created_at": at}
        await store.save_app(replace(APP, **of_this))
    await store.save_app(replace(APP, id="app_5", chat_id="chat_5", account="other"))
    first = await store.apps("ci", limit=2)
    assert [app.id for app in first] == ["app_2", "app_4"]
    behind = first[-1].created_at, first[-1].id
    assert [app.id for app in await store.apps("ci", limit=9, before=behind)] == ["app_3", "app_1"]


async def test_files_of_an_app_are_written_and_taken_away_one_by_one(store: Store):
    await store.save_app(APP)
    await store.put_app_files("app_1", {A: b"a", B: b"\x00\xff"})
    await store.put_app_files("app_1", {A: b"new"})
    assert await store.app_files("app_1") == {A: b"new", B: b"\x00\xff"}
    assert list(await store.app_files("app_1")) == [B, A]
    await store.put_app_files("app_1", {B: None})
    assert await store.app_files("app_1") == {A: b"new"}
    await store.save_app(replace(APP, status="ready"))
    assert await store.app_files("app_1") == {A: b"new"}
    await store.delete_app("app_1")
    assert await store.app("app_1") is None
    assert await store.app_files("app_1") == {}


async def test_skills_are_an_accounts_own(store: Store):
    await store.save_skill(SKILL)
    other = replace(SKILL, account="other", title="Theirs")
    await store.save_skill(other)
    newer = replace(SKILL, kind="augmenter", tags=())
    await store.save_skill(newer)
    assert await store.skill("ci", "tone") == newer
    assert await store.skills("other") == [other]
    assert await store.skill("ci", "else") is None
