"""The page behind the preview's URL is the app that was asked for, and follows its edits."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from e2e_chromium import visited
from e2e_editor import opened
from e2e_home import Home, contents
from e2e_projects import COUNTER, counter_project, counter_with_reset
from playwright.async_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]


async def test_the_counter_counts_in_chromium_and_an_edit_shows_in_the_open_page(
    workspace: Path, home: Home
) -> None:
    async with opened(workspace, home) as editor:
        events = await editor.run("forge.generate", prompt="create a counter app")
        url = next(event.url for event in events if event.type == "sandbox_ready")
        await editor.run("forge.review.accept")
        assert contents(workspace) == counter_project()
        async with visited(url) as visit:
            page, count = visit.page, visit.page.get_by_test_id("count")
            await expect(count).to_have_text("0")
            await _click(page, "Increment")
            await expect(count).to_have_text("1")
            await _click(page, "Decrement")
            await expect(count).to_have_text("0")
            await _click(page, "Increment")
            await _click(page, "Increment")

            looked_at = {"uri": (workspace / COUNTER).as_uri()}
            await editor.run("forge.edit", prompt="add a reset button", textDocument=looked_at)
            await expect(page.get_by_role("button", name="Reset")).to_be_visible()
            # The page was changed in place, so it still knows what was counted.
            await expect(count).to_have_text("2")
            assert visit.loads == 1
            await _click(page, "Reset")
            await expect(count).to_have_text("0")
            assert visit.hosts == {urlsplit(url).hostname}
            assert visit.errors == []
        assert (workspace / COUNTER).read_bytes() == counter_project()[COUNTER]
        await editor.run("forge.review.accept")
        assert (workspace / COUNTER).read_bytes() == counter_with_reset()


async def _click(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()
