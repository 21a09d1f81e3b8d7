"""/api/projects and /api/messages: projects that are talked with, and fragments that come of it."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from http_description import check
from http_fuzzing import fuzz
from http_projects import PROJECT, a_fragment, ended, patch, sandbox_of
from http_serving import Api, serving, settings, until
from http_v1 import lines, said, token
from msgspec.structs import replace

from forge_lsp import events
from forge_lsp.http.idempotency import KEY
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.projects import ProjectRecord
from forge_lsp.settings import LimitSettings, RunSettings

PROJECTS, MESSAGES = "/api/projects", "/api/messages"
COUNTER = {"message": "Create a React counter component"}
RESET = "Add a reset button"
LATE_S = 60.0


async def begun(api: Api, body: Any = COUNTER, **options: Any) -> tuple[str, str]:
    """The ids of a new project and of its first run, which has ended well."""
    status, answer = await api.post(PROJECTS, body, **options)
    assert status == 201, answer
    assert await ended(api, answer["runId"]) == "completed"
    return answer["id"], answer["runId"]


async def listed(api: Api, path: str, **options: Any) -> list[dict[str, Any]]:
    status, answer = await api.get(path, **options)
    assert status == 200, answer
    return answer["data"]


async def test_a_project_is_begun_at_once_and_its_run_followed(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=0.005)) as api:
        async with api.client.post(PROJECTS, json=COUNTER) as response:
            assert response.status == 201
            answer = await response.json()
            assert list(answer) == ["id", "runId"]
            assert response.headers["X-Run-Id"] == answer["runId"]
            await check(PROJECTS, response)
        assert (await api.get(f"/v1/runs/{answer['runId']}"))[1]["status"] == "running"
        async with api.client.get(f"/v1/runs/{answer['runId']}/events") as stream:
            told = lines(await stream.read())
            await check("/v1/runs/{id}/events", stream)
        assert told[-1]["type"] == "done"
        written = {line["path"]: line["contents"] for line in told if line["type"] == "file"}
        (fragment,) = await listed(api, f"/api/fragments?projectId={answer['id']}")
        assert written.items() <= fragment["files"].items()
        assert fragment["sandboxUrl"] == sandbox_of(api).url
        (project,) = await listed(api, PROJECTS)
        assert (project["id"], project["name"]) == (answer["id"], COUNTER["message"])


async def test_messages_are_told_with_their_answers_and_what_came_of_them(api: Api) -> None:
    picture = "https://example.com/a.png"
    project, run = await begun(api, {**COUNTER, "imageUrl": picture})
    async with api.client.get(f"{MESSAGES}?projectId={project}") as response:
        assert response.status == 200
        await check(MESSAGES, response)
        answer, asked = (await response.json())["data"]
    (fragment,) = await listed(api, f"/api/fragments?projectId={project}")
    assert asked == {
        "id": asked["id"],
        "projectId": project,
        "role": "USER",
        "type": "RESULT",
        "content": COUNTER["message"],
        "imageUrl": picture,
        "runId": run,
        "fragmentId": None,
        "createdAt": asked["createdAt"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", asked["createdAt"])
    assert (answer["role"], answer["type"], answer["runId"]) == ("ASSISTANT", "RESULT", run)
    assert (answer["id"], answer["fragmentId"]) == (fragment["messageId"], fragment["id"])
    assert "src/Counter.tsx" in answer["content"]


async def test_a_message_goes_on_from_the_newest_fragment(api: Api) -> None:
    project, _ = await begun(api)
    (first,) = await listed(api, f"/api/fragments?projectId={project}")
    async with api.client.post(MESSAGES, json={"message": RESET, "projectId": project}) as response:
        assert response.status == 201
        sent = await response.json()
        await check(MESSAGES, response)
    # It is there from the moment on at which its sender knows of it.
    asked = next(
        each
        for each in await listed(api, f"{MESSAGES}?projectId={project}")
        if each["id"] == sent["id"]
    )
    assert (asked["role"], asked["content"], asked["runId"]) == ("USER", RESET, sent["runId"])
    assert await ended(api, sent["runId"]) == "completed"
    second, again = await listed(api, f"/api/fragments?projectId={project}")
    assert again == first
    assert "reset" in second["files"]["src/Counter.tsx"].lower()
    assert set(second["files"]) == set(first["files"])


async def test_a_run_that_is_cancelled_is_answered_with_an_error(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=5.0)) as api:
        _, answer = await api.post(PROJECTS, COUNTER)
        assert (await api.post(f"/v1/runs/{answer['runId']}/cancel"))[0] in (200, 202)
        assert await ended(api, answer["runId"]) == "cancelled"
        told, _ = await listed(api, f"{MESSAGES}?projectId={answer['id']}")
        assert (told["role"], told["type"], told["fragmentId"]) == ("ASSISTANT", "ERROR", None)
        again = lines(await said(api, f"/v1/runs/{answer['runId']}/events"))
        assert again[-1]["type"] == "cancelled"


async def test_a_run_that_nobody_listens_to_goes_on_to_its_end(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=0.005, grace_s=0.05)) as api:
        await begun(api)


async def test_projects_and_messages_come_a_page_at_a_time(api: Api) -> None:
    ids = [f"proj_{number}" for number in range(3)]
    for number, project in enumerate(ids):
        record = ProjectRecord(project, "owner", "x", number, number)
        await api.engine.store.save_project(record)
    await api.engine.store.save_project(ProjectRecord("file:///app", "owner", "app", 9, 9))
    _, first = await api.get(f"{PROJECTS}?limit=1")
    assert [each["id"] for each in first["data"]] == ["file:///app"]
    async with api.client.get(f"{PROJECTS}?cursor={first['nextCursor']}") as response:
        await check(PROJECTS, response)
        assert [each["id"] for each in (await response.json())["data"]] == ids[::-1]
    project, _ = await begun(api)
    _, first = await api.get(f"{MESSAGES}?projectId={project}&limit=1")
    _, rest = await api.get(f"{MESSAGES}?projectId={project}&cursor={first['nextCursor']}")
    roles = [each["role"] for each in first["data"] + rest["data"]]
    assert (roles, rest["hasMore"]) == (["ASSISTANT", "USER"], False)
    for path in (f"{PROJECTS}?limit=0", f"{MESSAGES}?projectId={project}&cursor=no"):
        assert (await api.get(path))[0] == 400


async def test_what_an_account_has_no_other_sees(api: Api) -> None:
    mine, theirs = await token(api, "mine"), await token(api, "theirs")
    status, answer = await api.post(PROJECTS, COUNTER, headers=mine)
    assert status == 201
    project = answer["id"]
    assert await listed(api, PROJECTS, headers=theirs) == []
    missing = (404, {"success": False, "error": f"There is no project {project}."})
    assert await api.get(f"{MESSAGES}?projectId={project}", headers=theirs) == missing
    body = {"message": RESET, "projectId": project}
    assert await api.post(MESSAGES, body, headers=theirs) == missing
    assert (await api.get(f"/v1/runs/{answer['runId']}", headers=theirs))[0] == 404
    assert len(await listed(api, PROJECTS, headers=mine)) == 1


async def test_who_may_only_read_begins_nothing(api: Api) -> None:
    reader = await token(api, "reader", plan="pro", scopes=("read",))
    refused = {"success": False, "error": "The token lacks the scope generate"}
    assert await api.post(PROJECTS, COUNTER, headers=reader) == (403, refused)
    body = {"message": RESET, "projectId": PROJECT}
    assert await api.post(MESSAGES, body, headers=reader) == (403, refused)
    assert await listed(api, PROJECTS, headers=reader) == []
    unknown = {"Authorization": "Bearer wrong"}
    unauthorized = (401, {"success": False, "error": "Unauthorized"})
    assert await api.post(PROJECTS, COUNTER, headers=unknown) == unauthorized


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "message: Field required"),
        ({"message": "ab"}, "message: String should have at least 3 characters"),
        ({"message": "x" * 1001}, "message: String should have at most 1000 characters"),
        ({"message": " \n\t "}, "message: Message is required"),
        ({"message": 5}, "message: Input should be a valid string"),
        ({"message": None}, "message: Input should be a valid string"),
        ({**COUNTER, "imageUrl": 5}, "imageUrl: Input should be a valid string"),
        ({**COUNTER, "imageUrl": "javascript:alert(1)"}, "imageUrl: An http or https address"),
        ({**COUNTER, "imageUrl": "file:///etc/passwd"}, "imageUrl: An http or https address"),
        ({**COUNTER, "imageUrl": "https://a b"}, "imageUrl: An http or https address"),
        ({**COUNTER, "imageUrl": "https://" + "a" * 2048}, "imageUrl: String should have at most"),
    ],
)
async def test_a_field_that_is_not_as_it_must_be_begins_nothing(
    api: Api, body: Any, message: str
) -> None:
    for path, more in ((PROJECTS, {}), (MESSAGES, {"projectId": PROJECT})):
        async with api.client.post(path, json={**more, **body}) as response:
            assert response.status == 422
            answer = await response.json()
            assert answer["success"] is False
            assert answer["error"].startswith(message)
            await check(path, response)
    assert await listed(api, PROJECTS) == []


async def test_a_message_has_3_to_1000_characters_of_any_script(api: Api) -> None:
    for message in ("abc", "ünï", "🙂" * 1000):
        await begun(api, {"message": message, "imageUrl": None})
    told = [each["name"] for each in await listed(api, PROJECTS)]
    assert set(told) == {"abc", "ünï", "🙂" * 71 + "…"}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"message":"\\ud800xx"}'])
async def test_what_is_no_json_begins_nothing(api: Api, data: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path in (PROJECTS, MESSAGES):
        async with api.client.post(path, data=data, headers=headers) as response:
            assert response.status == 400
            assert await response.json() == {"success": False, "error": "Invalid JSON body"}


async def test_a_project_must_be_named_and_be_there(api: Api) -> None:
    for project, status in (("ab", 422), ("", 422), ("proj_none", 404), ("proj%00", 404)):
        assert (await api.get(f"{MESSAGES}?projectId={project}"))[0] == status
    body = {"message": RESET}
    for named, status in ({}, 422), ({"projectId": "ab"}, 422), ({"projectId": "proj_none"}, 404):
        assert (await api.post(MESSAGES, {**body, **named}))[0] == status


async def test_one_message_is_answered_at_a_time(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=5.0)) as api:
        _, answer = await api.post(PROJECTS, COUNTER)
        body = {"message": RESET, "projectId": answer["id"]}
        status, refused = await api.post(MESSAGES, body)
        assert (status, refused["success"]) == (409, False)
        assert answer["runId"] in refused["error"]
        assert len(await listed(api, f"{MESSAGES}?projectId={answer['id']}")) == 1
        await api.post(f"/v1/runs/{answer['runId']}/cancel")
        await ended(api, answer["runId"])
        found = await asyncio.gather(*(api.post(MESSAGES, body) for _ in range(3)))
        assert sorted(status for status, _ in found) == [201, 409, 409]


async def test_a_folder_that_is_open_in_an_editor_is_talked_with_there(api: Api) -> None:
    folder = "file:///app"
    record = ProjectRecord(folder, "owner", "app", 1, 1, folder=folder)
    await api.engine.store.save_project(record)
    status, answer = await api.post(MESSAGES, {"message": RESET, "projectId": folder})
    assert status == 409
    assert "editor" in answer["error"]


async def test_a_project_that_can_not_begin_is_not_kept(tmp_path: Path) -> None:
    chosen = replace(settings(pace_s=5.0), runs=RunSettings(max_active=1))
    async with serving(tmp_path, chosen) as api:
        assert (await api.post(PROJECTS, COUNTER))[0] == 201
        assert (await api.post(PROJECTS, COUNTER))[0] == 429
        assert len(await listed(api, PROJECTS)) == 1


async def test_runs_that_nobody_listens_to_count_among_those_at_once(tmp_path: Path) -> None:
    limits = LimitSettings(free_active_runs=2)
    async with serving(tmp_path, replace(settings(pace_s=5.0), limits=limits)) as api:
        headers = await token(api, "free")
        found = await asyncio.gather(
            *(api.post(PROJECTS, COUNTER, headers=headers) for _ in range(4))
        )
        assert sorted(status for status, _ in found) == [201, 201, 429, 429]
        first = next(answer["runId"] for status, answer in found if status == 201)
        await api.post(f"/v1/runs/{first}/cancel", headers=headers)

        async def is_over() -> bool:
            _, run = await api.get(f"/v1/runs/{first}", headers=headers)
            return run["status"] == "cancelled"

        await until(is_over)
        assert (await api.post(PROJECTS, COUNTER, headers=headers))[0] == 201


async def test_what_is_sent_again_is_begun_once(api: Api) -> None:
    headers = {KEY: "k"}
    first = await api.post(PROJECTS, COUNTER, headers=headers)
    assert first[0] == 201
    assert await api.post(PROJECTS, COUNTER, headers=headers) == first
    assert len(await listed(api, PROJECTS)) == 1
    await ended(api, first[1]["runId"])
    body, again = {"message": RESET, "projectId": first[1]["id"]}, {KEY: "l"}
    sent = await api.post(MESSAGES, body, headers=again)
    assert await api.post(MESSAGES, body, headers=again) == sent
    assert len(await listed(api, f"{MESSAGES}?projectId={first[1]['id']}")) in (3, 4)
    assert (await api.post(MESSAGES, body | {"message": "Other"}, headers=again))[0] == 409


async def test_an_edit_during_a_generation_is_lost_in_neither_fragment(tmp_path: Path) -> None:
    async with serving(tmp_path, settings(pace_s=0.005), wait_s=LATE_S) as api:
        project, _ = await begun(api)
        (first,) = await listed(api, f"/api/fragments?projectId={project}")
        mine = {
            "src/App.tsx": "export default 2;\n",
            "src/Counter.tsx": first["files"]["src/Counter.tsx"] + "// mine\n",
            "src/mine.ts": "3\n",
        }
        _, sent = await api.post(MESSAGES, {"message": RESET, "projectId": project})
        async for recorded in api.engine.runs.subscribe(sent["runId"]):
            if isinstance(recorded.event, events.FileStarted):
                break
        body = {"files": mine, "projectId": project}
        status, answer = await patch(api, body, first["id"])
        assert api.engine.runs.live(sent["runId"]), "the generation was over before the edit"
        assert (status, answer["files"]) == (200, {**first["files"], **mine})
        assert await ended(api, sent["runId"]) == "completed"
        second, again = await listed(api, f"/api/fragments?projectId={project}")
        assert again["files"] == {**first["files"], **mine}
        both = second["files"].pop("src/Counter.tsx")
        del mine["src/Counter.tsx"]
        assert mine.items() <= second["files"].items()
        assert both.endswith("// mine\n")
        assert "reset" in both.lower()
        wanted = {**mine, "src/Counter.tsx": both}
        inside = sandbox_of(api).contents
        assert {path: inside[path].decode() for path in wanted} == wanted


async def test_what_an_edit_and_an_answer_both_changed_is_as_the_answer_has_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, settings(pace_s=0.005), wait_s=LATE_S) as api:
        project, _ = await begun(api)
        (first,) = await listed(api, f"/api/fragments?projectId={project}")
        _, sent = await api.post(MESSAGES, {"message": RESET, "projectId": project})
        async for recorded in api.engine.runs.subscribe(sent["runId"]):
            if isinstance(recorded.event, events.FileStarted):
                break
        body = {"files": {"src/Counter.tsx": "export default 2;\n"}, "projectId": project}
        assert (await patch(api, body, first["id"]))[0] == 200
        assert await ended(api, sent["runId"]) == "completed"
        second, again = await listed(api, f"/api/fragments?projectId={project}")
        assert again["files"]["src/Counter.tsx"] == "export default 2;\n"
        answered = second["files"]["src/Counter.tsx"]
        assert "reset" in answered.lower()
        assert sandbox_of(api).contents["src/Counter.tsx"] == answered.encode()


async def test_a_fragment_of_ones_own_is_edited_and_talked_on_from(api: Api) -> None:
    await a_fragment(api, files={"src/App.tsx": "export default 1;\n", "src/mine.ts": "1\n"})
    body = {"files": {"src/mine.ts": "2\n"}, "projectId": PROJECT}
    assert (await patch(api, body))[0] == 200
    _, sent = await api.post(MESSAGES, {**COUNTER, "projectId": PROJECT})
    assert await ended(api, sent["runId"]) == "completed"
    newest = await api.engine.store.newest_fragment(PROJECT)
    assert newest is not None
    files = await api.engine.store.fragment_files(newest.id)
    assert files[ProjectPath.parse("src/mine.ts")] == b"2\n"


@pytest.mark.slow
async def test_schemathesis_finds_nothing_in_projects_and_fragments(
    api: Api, tmp_path: Path
) -> None:
    await fuzz(api, tmp_path, "--include-path-regex", "^/api/(projects|messages|fragments)")
    await until(lambda: api.engine.runs.under_way == 0)
