"""A landing page, built by curl, in a real sandbox, and looked at in Chromium."""

import asyncio
import json

import pytest
from e2e_chromium import visited
from e2e_home import Home
from e2e_http import served
from playwright.async_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

BUILD = json.dumps({"prompt": "Landing page with pricing and a footer"})


async def test_a_landing_page_that_curl_has_built_shows_in_chromium(home: Home) -> None:
    with served(home) as server:
        told = await asyncio.to_thread(server.lines, "/v1/apps/generate", BUILD)
        kinds = [line["type"] for line in told]
        assert kinds[0] == "plan"
        assert kinds[-2:] == ["review", "ready"]
        assert set(kinds[1:-2]) == {"file"}
        assert all({"runId", "id"} <= line.keys() for line in told)
        ready = told[-1]
        async with visited(ready["previewUrl"]) as visit:
            page = visit.page
            await expect(page.get_by_role("heading", level=1)).to_contain_text("Share it")
            await expect(page.get_by_role("contentinfo")).to_be_visible()
            # What the reviewer has patched.
            await expect(page.get_by_role("link", name="Skip to the content")).to_be_attached()
            assert visit.errors == []
        app = await asyncio.to_thread(server.get, f"/v1/apps/{ready['appId']}")
        assert (app["status"], app["previewUrl"]) == ("ready", ready["previewUrl"])
        run = f"/v1/runs/{ready['runId']}/rollback"
        undone = await asyncio.to_thread(server.post, run, {})
        assert undone, undone
        files = await asyncio.to_thread(server.get, f"/v1/apps/{ready['appId']}/files")
        assert files["files"] == {}
