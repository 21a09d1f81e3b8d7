"""/api/sandbox/* and /api/packages/install, over a real socket, with sandboxes in memory."""

from typing import Any

import pytest
from http_serving import Api

from forge_lsp.errors import IsolationUnavailable
from forge_lsp.ports.sandbox import DiagnosticsReport, SandboxCheck, SandboxDiagnostic

NO_SANDBOX = {"success": False, "error": "No active sandbox"}
NOT_FOUND = {"success": False, "error": "Sandbox not found"}


async def test_a_sandbox_is_made_and_its_status_told(api: Api) -> None:
    made = {"sandboxId": "sb_1", "url": "http://127.0.0.1/sb_1/"}
    assert await api.post("/api/sandbox/create") == (200, {"success": True, **made})
    alive = {"success": True, "isAlive": True, **made}
    assert await api.get("/api/sandbox/status") == (200, alive)
    assert await api.get("/api/sandbox/status?sandboxId=sb_1") == (200, alive)


async def test_keys_come_in_the_order_of_the_contract(api: Api) -> None:
    _, made = await api.post("/api/sandbox/create")
    assert list(made) == ["success", "sandboxId", "url"]
    _, status = await api.get("/api/sandbox/status")
    assert list(status) == ["success", "isAlive", "sandboxId", "url"]


async def test_making_one_never_ends_another_and_the_newest_is_active(api: Api) -> None:
    await api.post("/api/sandbox/create")
    await api.post("/api/sandbox/create")
    _, first = await api.get("/api/sandbox/status?sandboxId=sb_1")
    assert first["isAlive"] is True
    await api.post("/api/sandbox/create")
    _, active = await api.get("/api/sandbox/status")
    assert active["sandboxId"] == "sb_3"


async def test_using_a_sandbox_makes_it_the_active_one(api: Api) -> None:
    await api.post("/api/sandbox/create")
    await api.post("/api/sandbox/create")
    await api.get("/api/sandbox/files?sandboxId=sb_1")
    _, active = await api.get("/api/sandbox/status")
    assert active["sandboxId"] == "sb_1"


async def test_a_sandbox_that_can_not_be_made_is_explained(api: Api) -> None:
    api.provider.broken = IsolationUnavailable("User namespaces are off.")
    status, answer = await api.post("/api/sandbox/create")
    assert status == 500
    assert answer["success"] is False
    assert answer["error"].startswith("User namespaces are off. Run `forge-lsp doctor`")


async def test_the_files_are_sorted_and_relative(api: Api) -> None:
    await api.post("/api/sandbox/create")
    files = ["index.html", "package.json", "src/App.tsx", "vite.config.ts"]
    assert await api.get("/api/sandbox/files") == (200, {"success": True, "files": files})


async def test_diagnostics_have_the_names_of_the_contract(api: Api) -> None:
    await api.post("/api/sandbox/create")
    api.provider.made[0].report = DiagnosticsReport(
        output="1 problem",
        checks=(SandboxCheck("types", ok=False, detail="1 error", duration_ms=12),),
        diagnostics=(
            SandboxDiagnostic("src/App.tsx", 1, 2, "error", "TS1", "Wrong.", "tsc", 1, 5),
            SandboxDiagnostic("src/App.tsx", 3, 4, "warning", "W1", "Odd.", "vite"),
        ),
    )
    status, answer = await api.post("/api/sandbox/diagnostics", {"sandboxId": "sb_1"})
    assert status == 200
    assert answer == {
        "success": True,
        "output": "1 problem",
        "checks": [{"label": "types", "ok": False, "detail": "1 error", "durationMs": 12}],
        "diagnostics": [
            {
                "file": "src/App.tsx", "line": 1, "column": 2, "endLine": 1, "endColumn": 5,
                "severity": "error", "code": "TS1", "message": "Wrong.", "source": "tsc",
            },
            {
                "file": "src/App.tsx", "line": 3, "column": 4,
                "severity": "warning", "code": "W1", "message": "Odd.", "source": "vite",
            },
        ],
    }  # fmt: skip
    assert (await api.post("/api/sandbox/diagnostics"))[0] == 200


async def test_diagnostics_of_hostile_code_are_answered_whole(api: Api) -> None:
    await api.post("/api/sandbox/create")
    api.provider.made[0].report = DiagnosticsReport(
        output="\ud800" + "x" * 100_000,
        checks=(SandboxCheck("page\udfff", ok=False, detail="\ud800", duration_ms=0),),
        diagnostics=(
            SandboxDiagnostic("\ud800.ts", 2**40, -1, "error", "\ud800", "\x1b\ud800", "\ud800"),
        ),
    )
    status, answer = await api.post("/api/sandbox/diagnostics")
    assert status == 200
    assert answer["output"].startswith("?xx")
    assert len(answer["output"]) == 20_000
    assert answer["checks"][0]["label"] == "page?"
    (problem,) = answer["diagnostics"]
    assert (problem["file"], problem["message"], problem["line"]) == ("?.ts", "\x1b?", 2**40)


async def test_diagnostics_of_the_active_sandbox_are_of_all_that_it_holds(api: Api) -> None:
    await api.post("/api/sandbox/create")
    await api.post("/api/sandbox/create")
    api.provider.made[1].contents["src/a.ts"] = b"BROKEN BROKEN:package=clsx\nBROKEN:server\n"
    for body in ({}, {"sandboxId": ""}, {"sandboxId": "sb_2"}, {"more": 1}):
        status, answer = await api.post("/api/sandbox/diagnostics", body)
        assert status == 200
        assert list(answer) == ["success", "output", "checks", "diagnostics"]
        assert [each["line"] for each in answer["diagnostics"]] == [1, 2]
    assert api.provider.made[1].looks == [None] * 4
    assert api.provider.made[0].looks == []


@pytest.mark.parametrize("data", [b"{", b"[]", b"null", b'{"sandboxId":1}', b"\xff"])
async def test_diagnostics_that_are_asked_for_in_no_json_are_refused(api: Api, data: bytes) -> None:
    await api.post("/api/sandbox/create")
    headers = {"Content-Type": "application/json"}
    async with api.client.post("/api/sandbox/diagnostics", data=data, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["success"] is False
    assert api.provider.made[0].looks == []


async def test_diagnostics_of_a_sandbox_that_has_ended_are_a_failure_in_words(api: Api) -> None:
    await api.post("/api/sandbox/create")
    await api.provider.made[0].kill()
    status, answer = await api.post("/api/sandbox/diagnostics", {"sandboxId": "sb_1"})
    assert status == 500
    assert answer["error"].startswith("The sandbox has ended.")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/sandbox/status", None),
        ("GET", "/api/sandbox/files", None),
        ("POST", "/api/sandbox/diagnostics", {}),
        ("POST", "/api/packages/install", {"packages": ["react"]}),
    ],
)
async def test_none_active_and_an_unknown_one_are_told_apart(
    api: Api, method: str, path: str, body: Any
) -> None:
    async with api.client.request(method, path, json=body) as response:
        assert (response.status, await response.json()) == (404, NO_SANDBOX)
    query = "?sandboxId=no" if body is None else ""
    named = None if body is None else {**body, "sandboxId": "no"}
    async with api.client.request(method, path + query, json=named) as response:
        assert (response.status, await response.json()) == (404, NOT_FOUND)


async def test_killing_ends_the_one_named_and_leaves_the_others(api: Api) -> None:
    await api.post("/api/sandbox/create")
    await api.post("/api/sandbox/create")
    killed = await api.post("/api/sandbox/kill", {"sandboxId": "sb_1"})
    assert killed == (200, {"success": True, "killed": ["sb_1"]})
    assert [await sandbox.is_alive() for sandbox in api.provider.made] == [False, True]
    status, answer = await api.get("/api/sandbox/status?sandboxId=sb_1")
    assert (status, answer["isAlive"]) == (200, False)
    assert (await api.get("/api/sandbox/files?sandboxId=sb_1"))[0] == 500


@pytest.mark.parametrize("data", [b"", b"{}"])
async def test_killing_without_an_id_ends_all(api: Api, data: bytes) -> None:
    await api.post("/api/sandbox/create")
    await api.post("/api/sandbox/create")
    headers = {"Content-Type": "application/json"} if data else {}
    async with api.client.post("/api/sandbox/kill", data=data, headers=headers) as response:
        assert await response.json() == {"success": True, "killed": ["sb_1", "sb_2"]}


async def test_killing_what_is_gone_already_is_a_success(api: Api) -> None:
    assert await api.post("/api/sandbox/kill", {"sandboxId": "no"}) == (
        200,
        {"success": True, "killed": []},
    )


@pytest.mark.parametrize(
    "data",
    [b"{", b"null", b"[]", b'"sb_1"', b'{"sandboxId":null}', b'{"sandboxId":""}', b" ", b"\xff"],
)
async def test_a_kill_that_can_not_be_understood_ends_nothing(api: Api, data: bytes) -> None:
    await api.post("/api/sandbox/create")
    headers = {"Content-Type": "application/json"}
    async with api.client.post("/api/sandbox/kill", data=data, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["success"] is False
    assert await api.provider.made[0].is_alive()


async def test_packages_are_installed(api: Api) -> None:
    await api.post("/api/sandbox/create")
    assert await api.post("/api/packages/install", {"packages": ["react", "lodash"]}) == (
        200,
        {"success": True, "installedPackages": ["react", "lodash"]},
    )
    assert await api.post("/api/packages/install", {"packages": ["react", "missing-package"]}) == (
        200,
        {
            "success": False,
            "installedPackages": ["react"],
            "failed": [{"name": "missing-package", "error": "no such package"}],
        },
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Packages array is required"),
        ({"packages": []}, "Packages array is required"),
        ({"packages": "react"}, "Packages array is required"),
        ({"packages": None}, "Packages array is required"),
        ([], "Invalid JSON body"),
    ],
)
async def test_an_install_of_nothing_is_refused(api: Api, body: Any, message: str) -> None:
    await api.post("/api/sandbox/create")
    refused = {"success": False, "error": message}
    assert await api.post("/api/packages/install", body) == (400, refused)


@pytest.mark.parametrize("name", ["../evil", "-g", "a b", "\x00"])
async def test_a_name_that_npm_would_not_take_is_refused(api: Api, name: str) -> None:
    await api.post("/api/sandbox/create")
    status, answer = await api.post("/api/packages/install", {"packages": [name]})
    assert status == 400
    assert "is refused" in answer["error"]
