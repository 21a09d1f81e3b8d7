"""The whole job over HTTP, by the real curl: the bodies and events are the contract's own."""

import json
import time
from collections.abc import Iterator

import pytest
from e2e_home import Home
from e2e_http import Server, served
from e2e_preview import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

GENERATE = (
    '{"prompt": "Create a React counter component with increment and decrement buttons", '
    '"isEdit": false}'
)
EDIT = (
    '{"prompt":"Add a reset button to the counter","isEdit":true,"sandboxId":"sb_abc123",'
    '"context":{"files":{"src/Counter.tsx":"export default function Counter() { … }"},'
    '"recentMessages":[{"role":"user","content":"Create a counter component"},'
    '{"role":"assistant",'
    '"content":"I created a Counter component with increment and decrement."}]}}'
)
APPLY = (
    '{"sandboxId":"sb_abc123","files":[{"path":"src/components/Button.tsx","content":'
    '"export default function Button() { return <button>Click me</button>; }"},'
    '{"path":"src/App.tsx","content":"import Button from \'./components/Button\';\\n\\n'
    'export default function App() { return <Button />; }"}],"packages":["react","react-dom"]}'
)
APPLIED = [
    {"type": "status", "message": "Installing packages..."},
    {"type": "status", "message": "Installing 2 package(s)..."},
    {"type": "package", "data": {"name": "react"}},
    {"type": "package", "data": {"name": "react-dom"}},
    {"type": "status", "message": "Applying 2 file(s)..."},
    {"type": "status", "message": "Applying 1/2: Button.tsx"},
    {"type": "file", "data": {"path": "src/components/Button.tsx", "status": "applied"}},
    {"type": "status", "message": "Applying 2/2: App.tsx"},
    {"type": "file", "data": {"path": "src/App.tsx", "status": "applied"}},
    {
        "type": "complete",
        "data": {
            "appliedFiles": ["src/components/Button.tsx", "src/App.tsx"],
            "installedPackages": ["react", "react-dom"],
            "success": True,
        },
    },
]
STREAM = "/api/generate/stream"
CANCEL_WITHIN_S = 4.0
"""One second on a quiet machine; the slow model goes on for far longer."""


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    """One that answers."""
    with served(home) as running:
        yield running


def test_generate_streams_text_then_files_then_packages_then_all_of_it(server: Server) -> None:
    events = server.events(STREAM, GENERATE)
    assert events[0]["type"] == "status"
    assert events[0]["message"].startswith("Analyzing request...")
    kinds = [event["type"] for event in events]
    assert list(dict.fromkeys(kinds)) == ["status", "stream", "file", "package", "complete"]
    assert kinds.count("complete") == 1
    pieces = [event["data"] for event in events if event["type"] == "stream"]
    assert [piece["index"] for piece in pieces] == list(range(len(pieces)))
    files = [event["data"] for event in events if event["type"] == "file"]
    assert "src/Counter.tsx" in [file["path"] for file in files]
    for file in files:
        assert file["content"] in "".join(piece["content"] for piece in pieces)
    packages = [event["data"]["name"] for event in events if event["type"] == "package"]
    assert "react" in packages
    assert events[-1]["data"] == {"files": files, "packages": packages}


def test_an_edit_of_given_files_gives_them_whole(server: Server) -> None:
    done = server.events(STREAM, EDIT)[-1]
    assert done["type"] == "complete"
    assert done["data"]["editType"] == "ADD_FEATURE"
    changed = {file["path"]: file["content"] for file in done["data"]["files"]}
    assert "Reset" in changed["src/Counter.tsx"]


def test_a_sandbox_from_its_making_to_its_end(server: Server) -> None:
    made = server.post("/api/sandbox/create", {})
    sandbox, url = made["sandboxId"], made["url"]
    assert made == {"success": True, "sandboxId": sandbox, "url": url}

    assert server.events("/api/apply/stream", APPLY.replace("sb_abc123", sandbox)) == APPLIED
    wait_for(url, "/src/components/Button.tsx", "Click me")

    listed = server.get(f"/api/sandbox/files?sandboxId={sandbox}")
    assert listed["files"] == sorted(listed["files"])
    assert {"src/components/Button.tsx", "src/App.tsx", "package.json"} <= set(listed["files"])
    status = server.get(f"/api/sandbox/status?sandboxId={sandbox}")
    assert status == {"success": True, "isAlive": True, "sandboxId": sandbox, "url": url}

    installed = server.post("/api/packages/install", {"packages": ["react"], "sandboxId": sandbox})
    assert installed == {"success": True, "installedPackages": ["react"]}
    checked = server.post("/api/sandbox/diagnostics", {"sandboxId": sandbox})
    assert checked["diagnostics"] == []
    assert checked["checks"]
    assert all(check["ok"] for check in checked["checks"]), checked

    killed = server.post("/api/sandbox/kill", {"sandboxId": sandbox})
    assert killed == {"success": True, "killed": [sandbox]}
    assert not server.get(f"/api/sandbox/status?sandboxId={sandbox}")["isAlive"]


def test_a_mistake_that_is_applied_shows_among_the_diagnostics(server: Server) -> None:
    made = server.post("/api/sandbox/create", {})
    wrong = {"path": "src/App.tsx", "content": "export default function App() { return <p>; }\n"}
    body = json.dumps({"sandboxId": made["sandboxId"], "files": [wrong]})
    assert server.events("/api/apply/stream", body)[-1]["data"]["success"]
    checked = server.post("/api/sandbox/diagnostics", {"sandboxId": made["sandboxId"]})
    assert {each["file"] for each in checked["diagnostics"]} == {"src/App.tsx"}


def test_a_cancel_in_mid_stream_is_the_stream_s_last_word(home: Home) -> None:
    with served(home, FORGE_MODEL_DEMO_PACE_S="0.2") as server:
        with server.stream(STREAM, GENERATE) as stream:
            events = iter(stream)
            assert any(event["type"] == "stream" for event in events)
            run = f"/v1/runs/{stream.run_id}"
            asked_s = time.monotonic()
            server.post(f"{run}/cancel", {})
            rest = list(events)
            assert rest[-1] == {"type": "cancelled"}
            assert time.monotonic() - asked_s < CANCEL_WITHIN_S
        assert server.get(run)["status"] == "cancelled"
