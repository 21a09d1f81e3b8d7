"""POST /api/generate/stream and POST /api/apply/stream, over a real socket."""

import json
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from http_serving import TOKEN, Api, serving, settings, types

from forge_lsp.settings import RunSettings

GENERATE = "/api/generate/stream"
APPLY = "/api/apply/stream"
COUNTER = "Create a React counter component with increment and decrement buttons"
BUTTON = "export default function Button() { return <button>Click me</button>; }"
APP = (
    "import Button from './components/Button';\n\n"
    "export default function App() { return <Button />; }"
)
FILES = [
    {"path": "src/components/Button.tsx", "content": BUTTON},
    {"path": "src/App.tsx", "content": APP},
]


async def test_a_generation_tells_status_text_files_packages_and_completes(api: Api) -> None:
    async with api.client.post(GENERATE, json={"prompt": COUNTER, "isEdit": False}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["X-Run-Id"].startswith("run_")
        assert response.headers["X-Request-Id"]
        data = await response.read()
    found = [json.loads(block[6:]) for block in data.decode().split("\n\n") if block]

    assert found[0]["type"] == "status"
    assert found[0]["message"].startswith("Analyzing request...")
    streamed = [event["data"] for event in found if event["type"] == "stream"]
    assert [piece["index"] for piece in streamed] == list(range(len(streamed)))
    files = [event["data"] for event in found if event["type"] == "file"]
    assert any("Counter" in file["path"] for file in files)
    last = found[-1]
    assert list(last) == ["type", "data"]
    assert last["type"] == "complete"
    assert list(last["data"]) == ["files", "packages"]
    assert last["data"]["files"] == files
    assert last["data"]["packages"] == [
        event["data"]["name"] for event in found if event["type"] == "package"
    ]
    assert "react" in last["data"]["packages"]


async def test_an_edit_of_given_files_completes_with_its_edit_type(api: Api) -> None:
    counter = "export default function Counter() {\n  return <p>0</p>;\n}\n"
    found = await api.stream(
        GENERATE,
        {
            "prompt": "Add a reset button to the counter",
            "isEdit": True,
            "sandboxId": "sb_abc123",
            "context": {
                "files": {"src/Counter.tsx": counter},
                "recentMessages": [
                    {"role": "user", "content": "Create a counter component"},
                    {"role": "assistant", "content": "I created a Counter component."},
                ],
            },
        },
    )
    last = found[-1]
    assert last["type"] == "complete"
    assert list(last["data"]) == ["files", "packages", "editType"]
    assert last["data"]["editType"] == "ADD_FEATURE"
    assert [file["path"] for file in last["data"]["files"]] == ["src/Counter.tsx"]


async def test_an_edit_of_a_sandbox_reads_its_files(api: Api) -> None:
    _, made = await api.post("/api/sandbox/create")
    found = await api.stream(
        GENERATE,
        {"prompt": "Make App red", "isEdit": True, "sandboxId": made["sandboxId"]},
    )
    assert found[-1]["type"] in ("complete", "error")
    assert any("Choosing the files" in event.get("message", "") for event in found)


async def test_a_conversation_is_continued_and_stored(api: Api) -> None:
    await api.stream(GENERATE, {"prompt": COUNTER, "conversationId": "talk"})
    told = await api.engine.store.messages("talk", limit=10)
    assert [message.role for message in told] == ["user", "assistant"]
    assert told[0].text == COUNTER


async def test_an_apply_is_told_byte_for_byte_as_in_the_contract(api: Api) -> None:
    _, made = await api.post("/api/sandbox/create")
    body = {"sandboxId": made["sandboxId"], "files": FILES, "packages": ["react", "react-dom"]}
    async with api.client.post(APPLY, json=body) as response:
        data = await response.text()
    assert data == (
        'data: {"type":"status","message":"Installing packages..."}\n\n'
        'data: {"type":"status","message":"Installing 2 package(s)..."}\n\n'
        'data: {"type":"package","data":{"name":"react"}}\n\n'
        'data: {"type":"package","data":{"name":"react-dom"}}\n\n'
        'data: {"type":"status","message":"Applying 2 file(s)..."}\n\n'
        'data: {"type":"status","message":"Applying 1/2: Button.tsx"}\n\n'
        'data: {"type":"file","data":{"path":"src/components/Button.tsx","status":"applied"}}\n\n'
        'data: {"type":"status","message":"Applying 2/2: App.tsx"}\n\n'
        'data: {"type":"file","data":{"path":"src/App.tsx","status":"applied"}}\n\n'
        'data: {"type":"complete","data":{"appliedFiles":["src/components/Button.tsx",'
        '"src/App.tsx"],"installedPackages":["react","react-dom"],"success":true}}\n\n'
    )
    assert api.provider.made[0].contents["src/App.tsx"] == APP.encode()  # type: ignore[index]


async def test_an_apply_without_an_id_goes_to_the_active_sandbox(api: Api) -> None:
    await api.post("/api/sandbox/create")
    await api.post("/api/sandbox/create")
    found = await api.stream(APPLY, {"files": FILES[:1]})
    assert types(found) == ["status", "status", "file", "complete"]
    assert "src/components/Button.tsx" not in api.provider.made[0].contents
    assert "src/components/Button.tsx" in api.provider.made[1].contents


async def test_packages_that_fail_are_told_and_the_files_still_go_in(api: Api) -> None:
    await api.post("/api/sandbox/create")
    found = await api.stream(APPLY, {"files": FILES[:1], "packages": ["react", "missing-package"]})
    assert types(found) == [
        "status", "status", "package", "error", "status", "status", "file", "complete",
    ]  # fmt: skip
    assert found[3] == {
        "type": "error",
        "message": "Failed to install packages: missing-package: no such package",
    }
    assert found[-1]["data"] == {
        "appliedFiles": ["src/components/Button.tsx"],
        "installedPackages": ["react"],
        "success": False,
    }


async def test_a_file_that_does_not_go_in_is_told_and_not_among_the_applied(api: Api) -> None:
    await api.post("/api/sandbox/create")
    api.provider.made[0].is_full = True
    found = await api.stream(APPLY, {"files": FILES[:1]})
    assert types(found) == ["status", "status", "status", "complete"]
    assert "disk is full" in found[2]["message"]
    assert found[-1]["data"]["success"] is False
    assert found[-1]["data"]["appliedFiles"] == []


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (GENERATE, {}, 400, "Prompt is required"),
        (GENERATE, {"prompt": ""}, 400, "Prompt is required"),
        (GENERATE, {"prompt": "  \n"}, 400, "Prompt is required"),
        (GENERATE, {"prompt": None}, 400, "Prompt is required"),
        (GENERATE, [], 400, "Invalid JSON body"),
        (GENERATE, "text", 400, "Invalid JSON body"),
        (
            GENERATE,
            {"prompt": "x", "isEdit": True},
            400,
            "sandboxId is required when isEdit is true",
        ),
        (GENERATE, {"prompt": "x", "isEdit": True, "sandboxId": "no"}, 404, "Sandbox not found"),
        (APPLY, {}, 400, "Files are required"),
        (APPLY, {"files": []}, 400, "Files are required"),
        (APPLY, {"files": None}, 400, "Files are required"),
        (APPLY, {"files": "x"}, 400, "Files are required"),
        (APPLY, {"files": FILES}, 404, "No active sandbox"),
        (APPLY, {"files": FILES, "sandboxId": "no"}, 404, "Sandbox not found"),
    ],
)
async def test_what_can_not_be_started_is_refused_in_the_words_of_the_contract(
    api: Api, path: str, body: Any, status: int, message: str
) -> None:
    assert await api.post(path, body) == (status, {"success": False, "error": message})


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        (GENERATE, {"prompt": 5}, "prompt"),
        (GENERATE, {"prompt": "x", "isEdit": "yes"}, "isEdit"),
        (GENERATE, {"prompt": "x", "context": {"files": {"a.ts": 1}}}, "context.files"),
        (GENERATE, {"prompt": "x", "context": {"recentMessages": [{"role": "root"}]}}, "role"),
        (APPLY, {"files": [{"path": "a.ts"}]}, "files.0.content"),
        (APPLY, {"files": [{"path": "a.ts", "content": "x"}], "packages": "react"}, "packages"),
    ],
)
async def test_a_field_of_the_wrong_type_is_named(
    api: Api, path: str, body: Any, names: str
) -> None:
    status, answer = await api.post(path, body)
    assert status == 400
    assert names in answer["error"]


async def test_fields_that_nobody_knows_are_ignored(api: Api) -> None:
    found = await api.stream(GENERATE, {"prompt": COUNTER, "model": "x", "isEdit": None})
    assert found[-1]["type"] == "complete"


async def test_more_runs_than_are_allowed_are_put_off(tmp_path: Path) -> None:
    chosen = settings(pace_s=5.0)
    chosen = msgspec.structs.replace(chosen, runs=RunSettings(max_active=1))
    async with (
        serving(tmp_path, chosen) as api,
        api.client.post(GENERATE, json={"prompt": COUNTER}) as first,
    ):
        assert first.status == 200
        async with api.client.post(GENERATE, json={"prompt": COUNTER}) as second:
            assert second.status == 429
            assert int(second.headers["Retry-After"]) > 0
            assert (await second.json())["success"] is False


async def test_a_manifest_is_shown_as_package_json(api: Api) -> None:
    manifest = {"name": "app", "dependencies": {"react": "^19.0.0"}, "huge": 10**30}
    body = {"prompt": COUNTER, "context": {"manifest": manifest}}
    found = await api.stream(GENERATE, body)
    assert found[-1]["type"] == "complete"


async def test_a_stored_conversation_that_is_empty_by_name_is_none(api: Api) -> None:
    found = await api.stream(GENERATE, {"prompt": COUNTER, "conversationId": ""})
    assert found[-1]["type"] == "complete"
    assert await api.engine.store.messages("", limit=1) == []
    status, answer = await api.post(GENERATE, {"prompt": COUNTER, "conversationId": "x" * 201})
    assert status == 400
    assert "conversationId" in answer["error"]


async def test_what_is_logged_holds_neither_query_nor_body_nor_token(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="forge_lsp.http"):
        await api.get("/api/sandbox/status?sandboxId=secret-in-query")
        await api.stream(GENERATE, {"prompt": "secret-in-body"})
    assert "GET /api/sandbox/status: 404" in caplog.text
    for secret in ("secret-in-query", "secret-in-body", TOKEN):
        assert secret not in caplog.text
