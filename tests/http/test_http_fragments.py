"""/api/fragments: the contract's example, every refusal, and edits that come at once."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from http_description import check
from http_projects import CREATED, FILES, FRAGMENT, PAGE, PROJECT, a_fragment, edit, patch
from http_projects import sandbox_of as sandbox
from http_serving import Api, serving, settings, until
from http_v1 import token
from memory_sandbox import MemoryProvider, MemorySandbox
from memory_workspace import MemoryWorkspace
from msgspec.structs import replace

from forge_lsp.errors import SandboxFailed
from forge_lsp.http.bodies import MAX_FILES
from forge_lsp.http.idempotency import KEY
from forge_lsp.ports.sandbox import Sandbox, StageSink
from forge_lsp.ports.workspace import Files

PATH = f"/api/fragments/{FRAGMENT}"
UPDATED = "export default function Page() { return <h1>Updated</h1>; }"
ASKED = (
    '{"files":{"app/page.tsx":"export default function Page() { return <h1>Updated</h1>; }"},'
    '"projectId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890"}'
)
ANSWERED = (
    '{"id":"frag_333","messageId":"msg_222","sandboxUrl":"https://sbx_xyz789.e2b.dev",'
    '"sandboxId":"sbx_xyz789","title":"To-Do List App","files":{"app/page.tsx":"export default '
    'function Page() { return <h1>Updated</h1>; }","app/globals.css":"body { margin: 0; }"},'
    '"imageUrl":null,"designSpec":null,"createdAt":"2024-04-05T12:00:45.000Z","updatedAt":"NOW"}'
)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
AT_ONCE = 50


class CloudSandbox(MemorySandbox):
    """Called and reached as the one in the contract's example."""

    @property
    def id(self) -> str:
        return "sbx_xyz789"

    @property
    def url(self) -> str:
        return f"https://{self.id}.e2b.dev"


class CloudProvider(MemoryProvider):
    async def create(
        self, on_stage: StageSink, contents: Files | None = None, project: str = ""
    ) -> Sandbox:
        del on_stage, contents, project
        self.made.append(CloudSandbox(1))
        return self.made[0]


@pytest.fixture(params=["sqlite", "postgresql"])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Api, Api]]:
    """Two on one database."""
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/shared.db"
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("cluster").database())
        chosen = replace(settings(), database_url=url)
        one = await stack.enter_async_context(serving(tmp_path / "one", chosen))
        other = await stack.enter_async_context(serving(tmp_path / "other", chosen))
        yield one, other


async def kept(api: Api) -> dict[str, str]:
    return (await api.get(PATH))[1]["files"]


async def test_the_example_is_answered_byte_for_byte(tmp_path: Path) -> None:
    provider = CloudProvider()
    async with serving(tmp_path, provider=provider) as api:
        await a_fragment(api)
        headers = {"Content-Type": "application/json"}
        async with api.client.patch(PATH, data=ASKED, headers=headers) as response:
            assert response.status == 200
            text = await response.text()
            await check("/api/fragments/{id}", response)
        assert re.sub(rf'("updatedAt":"){TIME}', r"\1NOW", text) == ANSWERED
        assert provider.made[0].contents[PAGE] == UPDATED.encode()
        answer, again = json.loads(text), (await api.get(PATH))[1]
        assert again == answer
        assert answer["updatedAt"] > "2024-04-05T15:20:00.000Z"


async def test_a_fragment_is_read_listed_and_told_version_by_version(api: Api) -> None:
    await a_fragment(api, files={**FILES, "logo.png": b"\x89PNG\xff"})
    asked = [
        ("/api/fragments/{id}", PATH),
        ("/api/fragments", f"/api/fragments?projectId={PROJECT}"),
        ("/api/fragments/{id}/versions", f"{PATH}/versions"),
    ]
    await patch(api, edit({PAGE: "2", "new.ts": ""}))
    for path, url in asked:
        async with api.client.get(url) as response:
            assert response.status == 200
            await check(path, response)
    _, fragment = await api.get(PATH)
    assert fragment["files"] == {**FILES, PAGE: "2", "new.ts": ""}
    _, page = await api.get(f"/api/fragments?projectId={PROJECT}")
    assert page == {"data": [fragment], "nextCursor": None, "hasMore": False}
    _, told = await api.get(f"{PATH}/versions")
    assert [(each["version"], each["reason"]) for each in told["data"]] == [
        (2, "Edited"),
        (1, "Generated"),
    ]
    assert told["data"][0]["changed"] == [PAGE, "new.ts"]


async def test_fragments_and_versions_come_a_page_at_a_time(api: Api) -> None:
    for number in range(3):
        await a_fragment(api, fragment_id=f"frag_{number}", has_sandbox=number == 0)
    for number in range(2):
        await patch(api, edit({PAGE: str(number)}), "frag_0")
    for path, field, all_of_it in (
        (f"/api/fragments?projectId={PROJECT}", "id", ["frag_2", "frag_1", "frag_0"]),
        ("/api/fragments/frag_0/versions?", "version", [3, 2, 1]),
    ):
        _, first = await api.get(f"{path}&limit=2")
        assert first["hasMore"]
        _, rest = await api.get(f"{path}&limit=2&cursor={first['nextCursor']}")
        assert (rest["nextCursor"], rest["hasMore"]) == (None, False)
        assert [each[field] for each in first["data"] + rest["data"]] == all_of_it


async def test_a_version_is_restored_in_the_sandbox_too_and_makes_a_new_one(api: Api) -> None:
    await a_fragment(api)
    sandbox(api).contents |= {path: text.encode() for path, text in FILES.items()}
    await patch(api, edit({PAGE: "2", "new.ts": "3"}))
    async with api.client.post(f"{PATH}/restore", json={"version": 1}) as response:
        assert response.status == 200
        assert response.headers["ETag"] == '"3"'
        await check("/api/fragments/{id}/restore", response)
        assert (await response.json())["files"] == FILES
    assert sandbox(api).contents[PAGE] == FILES[PAGE].encode()
    assert "new.ts" not in sandbox(api).contents
    assert (await api.post(f"{PATH}/restore", {"version": 2.0}))[1]["files"]["new.ts"] == "3"
    for version, status in ((5, 404), (0, 422), (2**40, 422), ("1", 422), (True, 422), (1.5, 422)):
        assert (await api.post(f"{PATH}/restore", {"version": version}))[0] == status


@pytest.mark.parametrize("form", ["{tag}", "{at}", '"{at}"', "*", '"0", {tag}'])
async def test_an_edit_for_the_newest_version_is_made(api: Api, form: str) -> None:
    await a_fragment(api)
    async with api.client.get(PATH) as response:
        tag, at = response.headers["ETag"], (await response.json())["updatedAt"]
    given = {"If-Match": form.format(tag=tag, at=at)}
    assert (await patch(api, edit({PAGE: "2"}), headers=given))[0] == 200
    again = await patch(api, edit({PAGE: "3"}), headers=given)
    assert again[0] == (200 if form == "*" else 412)


@pytest.mark.parametrize("given", ['"1"', "2024-04-05T12:00:45.000Z", 'W/"2"', '"3"', "2", '""'])
async def test_an_edit_for_another_version_than_the_newest_is_not_made(
    api: Api, given: str
) -> None:
    await a_fragment(api)
    await patch(api, edit({PAGE: "2"}))
    headers = {"If-Match": given}
    async with api.client.patch(PATH, json=edit({PAGE: "late"}), headers=headers) as response:
        assert response.status == 412
        assert set(await response.json()) == {"error"}
        await check("/api/fragments/{id}", response)
    assert (await api.post(f"{PATH}/restore", {"version": 1}, headers=headers))[0] == 412
    assert (await kept(api))[PAGE] == "2"
    assert sandbox(api).contents[PAGE] == b"2"


async def test_an_if_match_that_names_nothing_is_refused(api: Api) -> None:
    await a_fragment(api)
    status, answer = await patch(api, edit({PAGE: "2"}), headers={"If-Match": ""})
    assert (status, set(answer)) == (400, {"error"})
    assert await kept(api) == FILES


async def test_without_a_token_nobody_is_let_in(api: Api) -> None:
    await a_fragment(api)
    headers = {"Authorization": "Bearer wrong"}
    refused = (401, {"error": "Unauthorized"})
    assert await patch(api, edit({PAGE: "2"}), headers=headers) == refused
    assert await api.get(PATH, headers=headers) == refused


async def test_an_edit_needs_its_scope_and_its_feature(api: Api) -> None:
    free = await token(api, "free")
    reader = await token(api, "reader", plan="pro", scopes=("read",))
    await a_fragment(api, account="free")
    pro_only = (403, {"error": "Pro is required"})
    assert await patch(api, edit({PAGE: "2"}), headers=free) == pro_only
    assert await api.post(f"{PATH}/restore", {"version": 1}, headers=free) == pro_only
    status, answer = await patch(api, edit({PAGE: "2"}), headers=reader)
    assert (status, answer) == (403, {"error": "The token lacks the scope generate"})
    assert (await api.get(PATH, headers=free))[0] == 200
    given = await token(api, "given", account="free", features=("inline_code_edit",))
    assert (await patch(api, edit({PAGE: "2"}), headers=given))[0] == 200


async def test_unknown_others_and_another_projects_are_alike(api: Api) -> None:
    await a_fragment(api)
    await a_fragment(api, fragment_id="frag_444", account="other", project="proj_other")
    other = await token(api, "other", plan="pro")
    body = edit({PAGE: "2"})
    missing = "There is no fragment {}."
    for fragment, sent, headers in (
        ("frag_none", body, None),
        (FRAGMENT, body, other),
        (FRAGMENT, {**body, "projectId": "proj_other"}, None),
        ("frag_444", {**body, "projectId": "proj_other"}, None),
        ("..%2Ffrag", body, None),
        ("frag%00_333", body, None),
    ):
        answer = await patch(api, sent, fragment, headers=headers)
        assert answer[0] == 404, answer
        assert set(answer[1]) == {"error"}
    told = await patch(api, body, FRAGMENT, headers=other)
    assert told == (404, {"error": missing.format(FRAGMENT)})
    for path in (PATH, f"{PATH}/versions", f"/api/fragments?projectId={PROJECT}"):
        assert (await api.get(path, headers=other))[0] == 404
    restored = await api.post(f"{PATH}/restore", {"version": 1}, headers=other)
    assert restored[0] == 404
    assert (await kept(api)) == FILES


async def test_without_any_sandbox_it_is_a_conflict_unless_one_is_named(api: Api) -> None:
    await a_fragment(api, has_sandbox=False)
    missing = (409, {"error": "Missing sandbox Id"})
    assert await patch(api, edit({PAGE: "2"})) == missing
    assert await patch(api, edit({PAGE: "2"}, sandboxId="")) == missing
    _, made = await api.post("/api/sandbox/create")
    status, answer = await patch(api, edit({PAGE: "2"}, sandboxId=made["sandboxId"]))
    assert (status, answer["sandboxId"], answer["sandboxUrl"]) == (200, "sb_1", made["url"])
    assert sandbox(api).contents[PAGE] == b"2"
    assert (await patch(api, edit({PAGE: "3"})))[0] == 200


async def test_a_sandbox_that_was_named_is_only_ones_own(api: Api) -> None:
    await a_fragment(api, has_sandbox=False)
    theirs = await api.engine.sandboxes.create("other", "", lambda _: None)
    before = dict(sandbox(api).contents)
    status, answer = await patch(api, edit({PAGE: "2"}, sandboxId=theirs.id))
    assert (status, answer["sandboxId"]) == (200, "sb_2")
    assert sandbox(api).contents == before


BAD_FIELDS: list[tuple[Any, str]] = [
    ({}, "Files are required"),
    ({"projectId": PROJECT}, "Files are required"),
    (edit({}), "Files are required"),
    ({"files": None, "projectId": PROJECT}, "Files are required"),
    ({"files": [], "projectId": PROJECT}, "files: Input should be a valid dictionary"),
    ({"files": "x", "projectId": PROJECT}, "files: Input should be a valid dictionary"),
    ({"files": {PAGE: "2"}}, "projectId: Field required"),
    ({"files": {PAGE: "2"}, "projectId": "ab"}, "projectId: String should have at least 3"),
    ({"files": {PAGE: "2"}, "projectId": 5}, "projectId: Input should be a valid string"),
    (edit({PAGE: 1}), f"files.{PAGE}: Input should be a valid string"),
    (edit({PAGE: None}), f"files.{PAGE}: Input should be a valid string"),
    (edit({PAGE: "2"}, sandboxId=1), "sandboxId: Input should be a valid string"),
    (edit({"../x": "2"}), "The path '../x' is refused"),
    (edit({"a/../../x": "2"}), "The path 'a/../../x' is refused"),
    (edit({"/etc/passwd": "2"}), "The path '/etc/passwd' is refused"),
    (edit({".git/config": "2"}), "The path '.git/config' is refused"),
    (edit({".GIT/config": "2"}), "The path '.GIT/config' is refused"),
    (edit({"a/.env.local": "2"}), "The path 'a/.env.local' is refused"),
    (edit({"node_modules/a.js": "2"}), "The path 'node_modules/a.js' is refused"),
    (edit({"": "2"}), "The path '' is refused"),
    (edit({"a/": "2"}), "The path 'a/' is refused"),
    (edit({"C:\\x": "2"}), "The path 'C:"),
    (edit({f"f{number}": "" for number in range(MAX_FILES + 1)}), "files: at most 10,000 files"),
]


@pytest.mark.parametrize(("body", "message"), BAD_FIELDS, ids=[each for _, each in BAD_FIELDS])
async def test_a_field_that_is_not_as_it_must_be_changes_nothing(
    api: Api, body: Any, message: str
) -> None:
    await a_fragment(api)
    async with api.client.patch(PATH, json=body) as response:
        assert response.status == 422
        answer = await response.json()
        assert set(answer) == {"error"}
        assert answer["error"].startswith(message)
        await check("/api/fragments/{id}", response)
    assert await kept(api) == FILES
    assert sandbox(api).puts == []


async def test_a_good_path_beside_a_bad_one_is_not_written(api: Api) -> None:
    await a_fragment(api)
    assert (await patch(api, edit({PAGE: "2", ".env": "KEY=1"})))[0] == 422
    assert await kept(api) == FILES
    assert sandbox(api).puts == []


async def test_an_id_of_less_than_three_characters_is_none(api: Api) -> None:
    for method, path, body in (
        ("PATCH", "/api/fragments/ab", edit({PAGE: "2"})),
        ("GET", "/api/fragments/ab", None),
        ("GET", "/api/fragments/ab/versions", None),
        ("POST", "/api/fragments/ab/restore", {"version": 1}),
        ("GET", "/api/fragments?projectId=ab", None),
        ("GET", "/api/fragments", None),
    ):
        async with api.client.request(method, path, json=body) as response:
            assert response.status == 422, path
            assert "at least 3 characters" in (await response.json())["error"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"files":{"a":NaN},"projectId":"proj"}',
        b'{"files":{"a\\u0000b":"2"},"projectId":"proj"}',
        b'{"files":{"a\\ud800":"2"},"projectId":"proj"}',
        b'{"files":{"a":"\\ud800"},"projectId":"proj"}',
    ],
)
async def test_what_is_no_json_or_no_text_is_refused(api: Api, data: bytes) -> None:
    await a_fragment(api)
    headers = {"Content-Type": "application/json"}
    async with api.client.patch(PATH, data=data, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"].startswith("Invalid JSON body")
    assert sandbox(api).puts == []


async def test_a_body_that_is_too_large_is_refused_and_a_large_one_taken(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(http={"body_limit_bytes": 500_000})) as api:
        await a_fragment(api)
        status, answer = await patch(api, edit({PAGE: "x" * 500_000}))
        assert (status, set(answer)) == (413, {"error"})
        assert await kept(api) == FILES
        large = "\x00\r\n\ufeffé" * 20_000
        status, answer = await patch(api, edit({PAGE: large}))
        assert status == 200
        assert answer["files"][PAGE] == large
        assert sandbox(api).contents[PAGE] == large.encode()


async def test_what_the_sandbox_does_not_take_is_not_kept(api: Api) -> None:
    await a_fragment(api)
    sandbox(api).refuses = {"second.ts"}
    async with api.client.patch(PATH, json=edit({PAGE: "2", "second.ts": "3"})) as response:
        assert response.status == 502
        assert "second.ts" in (await response.json())["error"]
        await check("/api/fragments/{id}", response)
    assert await kept(api) == FILES
    assert (await api.get(f"{PATH}/versions"))[1]["data"][0]["version"] == 1


async def test_a_dead_sandbox_is_made_anew_and_its_address_kept_true(api: Api) -> None:
    await a_fragment(api)
    await sandbox(api).kill()
    _, read = await api.get(PATH)
    status, answer = await patch(api, edit({PAGE: "2"}))
    assert status == 200
    assert (answer["sandboxId"], answer["sandboxUrl"]) == ("sb_2", sandbox(api, 2).url)
    assert answer["sandboxUrl"] != read["sandboxUrl"]
    assert sandbox(api, 2).contents[PAGE] == b"2"
    assert sandbox(api, 2).contents["app/globals.css"] == FILES["app/globals.css"].encode()
    assert (await api.get(PATH))[1] == answer


async def test_a_dead_sandbox_that_can_not_be_made_anew_keeps_nothing(api: Api) -> None:
    await a_fragment(api)
    await sandbox(api).kill()
    api.provider.broken = SandboxFailed("There is no room.")
    status, answer = await patch(api, edit({PAGE: "2"}))
    assert status == 502
    assert "There is no room." in answer["error"]
    assert await kept(api) == FILES


async def test_an_edit_reaches_the_workspace_that_an_editor_has_open(api: Api) -> None:
    await a_fragment(api)
    page = FILES[PAGE].encode()
    workspace = MemoryWorkspace({PAGE: page, "other.ts": b"1\n"}, project=PROJECT)
    api.engine.workspaces[PROJECT] = workspace
    assert (await patch(api, edit({PAGE: "2\n"})))[0] == 200
    await until(lambda: workspace.disk[PAGE] == b"2\n")
    await until(lambda: not api.engine.runs.under_way)
    assert workspace.disk["other.ts"] == b"1\n"
    assert (await kept(api))[PAGE] == "2\n"


async def test_an_edit_that_is_sent_again_is_made_once(api: Api) -> None:
    await a_fragment(api)
    body, headers = edit({PAGE: "2"}), {KEY: "k"}
    first = await patch(api, body, headers=headers)
    assert await patch(api, body, headers=headers) == first
    status, answer = await patch(api, edit({PAGE: "3"}), headers=headers)
    assert (status, set(answer)) == (409, {"error"})
    assert sandbox(api).puts == [(PAGE,)]
    _, told = await api.get(f"{PATH}/versions")
    assert len(told["data"]) == 2


@pytest.mark.timeout(120)
async def test_of_fifty_edits_at_once_no_file_is_lost(servers: tuple[Api, Api]) -> None:
    await a_fragment(servers[0])
    wanted = {f"src/file{number}.ts": str(number) for number in range(AT_ONCE)}
    answers = await asyncio.gather(
        *(
            patch(servers[number % 2], edit({path: content}))
            for number, (path, content) in enumerate(wanted.items())
        )
    )
    assert {status for status, _ in answers} == {200}
    for api in servers:
        assert await kept(api) == {**FILES, **wanted}
    _, told = await servers[1].get(f"{PATH}/versions?limit=100")
    assert [each["version"] for each in told["data"]] == list(range(AT_ONCE + 1, 0, -1))


async def test_two_edits_of_one_file_leave_one_of_them_everywhere(api: Api) -> None:
    await a_fragment(api)
    answers = await asyncio.gather(*(patch(api, edit({PAGE: text})) for text in ("mine", "theirs")))
    last = max(answers, key=lambda answer: answer[1]["updatedAt"])[1]
    assert {answer["files"][PAGE] for _, answer in answers} == {"mine", "theirs"}
    assert (await kept(api))[PAGE] == last["files"][PAGE]
    assert sandbox(api).contents[PAGE] == last["files"][PAGE].encode()


async def test_of_two_edits_for_one_version_one_is_made(servers: tuple[Api, Api]) -> None:
    await a_fragment(servers[0])
    headers = {"If-Match": '"1"'}
    answers = await asyncio.gather(
        *(
            patch(servers[number % 2], edit({f"f{number}.ts": ""}), headers=headers)
            for number in range(6)
        )
    )
    assert sorted(status for status, _ in answers) == [200, *[412] * 5]
    assert len(await kept(servers[1])) == len(FILES) + 1


async def test_times_are_those_of_the_fragment_and_of_its_newest_version(api: Api) -> None:
    await a_fragment(api)
    fragment = await api.engine.store.fragment(FRAGMENT)
    assert fragment is not None
    assert (fragment.created_at, fragment.updated_at) == (CREATED, CREATED)
    _, answer = await patch(api, edit({PAGE: "2"}))
    assert answer["createdAt"] == "2024-04-05T12:00:45.000Z"
    assert re.fullmatch(TIME, answer["updatedAt"])
    assert answer["updatedAt"] > answer["createdAt"]
