"""The API with this machine's real sandboxes."""

import os
from pathlib import Path

import pytest
from http_serving import serving, settings

from forge_lsp.sandbox.local import LocalProvider
from forge_lsp.settings import Places, SandboxSettings, Settings

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]

BUTTON = "export default function Button() { return <button>Click me</button>; }"


async def test_a_sandbox_is_made_filled_looked_at_and_ended_over_http(tmp_path: Path) -> None:
    cache = os.environ.get("FORGE_TEST_CACHE")
    places = Places(
        config=tmp_path / "config",
        state=tmp_path / "state",
        cache=Path(cache) if cache else Places.find().cache / "tests",
    )
    provider = LocalProvider(Settings(sandbox=SandboxSettings(pool_size=0)), places)
    report = await provider.isolation()
    if report.tier == "none" and os.environ.get("CI") != "true":
        pytest.skip(f"this machine can't confine a sandbox: {report.detail} {report.remedy}")
    async with serving(tmp_path, settings(), provider=provider, wait_s=500) as api:
        status, made = await api.post("/api/sandbox/create")
        assert status == 200, made
        name = made["sandboxId"]
        body = {"sandboxId": name, "files": [{"path": "src/Button.tsx", "content": BUTTON}]}
        applied = await api.stream("/api/apply/stream", body)
        assert applied[-1]["data"]["success"] is True
        _, listed = await api.get("/api/sandbox/files")
        assert "src/Button.tsx" in listed["files"]
        assert listed["files"] == sorted(listed["files"])
        status, found = await api.post("/api/sandbox/diagnostics", {"sandboxId": name})
        assert status == 200
        assert found["checks"]
        status, refused = await api.post("/api/packages/install", {"packages": ["../evil"]})
        assert status == 400, refused
        killed = await api.post("/api/sandbox/kill", {"sandboxId": name})
        assert killed == (200, {"success": True, "killed": [name]})
        _, dead = await api.get(f"/api/sandbox/status?sandboxId={name}")
        assert dead["isAlive"] is False
