"""GET /docs in a real Chromium: what it shows, what it loads, that it is usable, that it tries."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from http_description import described
from http_node import node_modules, program
from http_serving import TOKEN, Api
from playwright.async_api import Page, async_playwright

pytestmark = pytest.mark.slow

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TIMEOUT_MS = 20_000


@asynccontextmanager
async def opened(api: Api, scheme: str = "light") -> AsyncGenerator[tuple[Page, list[str]]]:
    """The page, and every address that it asked for or fault that it had."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS)
        try:
            context = await browser.new_context(
                color_scheme="dark" if scheme == "dark" else "light", bypass_csp=False
            )
            page = await context.new_page()
            page.set_default_timeout(TIMEOUT_MS)
            seen: list[str] = []
            page.on("request", lambda request: seen.append(request.url))
            page.on("pageerror", lambda error: seen.append(f"fault: {error}"))
            page.on(
                "console",
                lambda said: seen.append(f"fault: {said.text}") if said.type == "error" else None,
            )
            await page.goto(f"{api.url}/docs")
            await page.wait_for_selector("#schema-ApiError")
            yield page, seen
        finally:
            await browser.close()


async def test_it_shows_every_route_and_shape_and_loads_nothing_from_elsewhere(api: Api) -> None:
    async with opened(api) as (page, seen):
        for path, methods in described()["paths"].items():
            for method, operation in methods.items():
                title = page.locator(f"#title-{operation['operationId']}")
                assert await title.locator(".path").inner_text() == path
                assert await title.locator(".method").inner_text() == method.upper()
        for name in described()["components"]["schemas"]:
            assert await page.locator(f"#schema-{name}").count() == 1
        addresses = [each for each in seen if not each.startswith("data:")]
        assert addresses == [f"{api.url}/docs", f"{api.url}/openapi.json"]


async def test_its_policy_lets_it_load_nothing_else(api: Api) -> None:
    async with api.client.get("/docs", headers={"Authorization": ""}) as response:
        assert response.status == 200
        policy = response.headers["Content-Security-Policy"]
        text = await response.text()
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)


async def test_a_request_is_tried_with_a_token(api: Api) -> None:
    async with opened(api) as (page, _):
        await page.fill("#token", TOKEN)
        section = page.locator("#status_sandboxes")
        await section.locator("summary", has_text="Try it").click()
        await section.locator("button[type=submit]").click()
        await section.locator(".status", has_text="404").wait_for()
        assert "No active sandbox" in await section.locator(".result pre").inner_text()


async def test_without_a_token_it_says_that_there_is_none(api: Api) -> None:
    async with opened(api) as (page, _):
        section = page.locator("#status_sandboxes")
        await section.locator("summary", has_text="Try it").click()
        await section.locator("button[type=submit]").click()
        await section.locator(".status", has_text="401").wait_for()


async def test_a_stream_is_tried_by_keyboard_and_shown_to_its_end(api: Api) -> None:
    async with opened(api) as (page, _):
        await page.focus("#token")
        await page.keyboard.type(TOKEN)
        await page.keyboard.press("Enter")
        section = page.locator("#generate_stream_generation")
        await section.locator("summary", has_text="Try it").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert (await focused.get_attribute("id") or "").endswith("-Idempotency-Key")
        await page.keyboard.press("Tab")
        assert (await focused.get_attribute("id") or "").endswith("-body")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await section.locator(".result", has_text='"type":"complete"').wait_for()
        assert "X-Run-Id: run_" in await section.locator(".result .note").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation(api: Api, scheme: str) -> None:
    axe = (node_modules() / "axe-core/axe.min.js").read_text()
    async with opened(api, scheme) as (page, _):
        for details in await page.locator("details").all():
            await details.evaluate("element => { element.open = true; }")
        await page.evaluate(axe)
        # To list all that passes would take most of the time.
        found = await page.evaluate('axe.run({resultTypes: ["violations"]})')
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        assert found["passes"]


async def test_what_an_answer_holds_is_shown_as_text(api: Api) -> None:
    hostile = "<img src=x onerror=document.title='owned'>"
    async with opened(api) as (page, _):
        await page.fill("#token", TOKEN)
        section = page.locator("#get_runs")
        await section.locator("summary", has_text="Try it").click()
        await section.locator("input").fill(hostile)
        await section.locator("button[type=submit]").click()
        await section.locator(".result pre", has_text=f"There is no run {hostile}.").wait_for()
        assert await page.title() == "forge-lsp: HTTP API"
        assert await section.locator("img").count() == 0


def test_the_page_is_small() -> None:
    folder = Path(__file__).parents[2] / "forge_lsp/http/page"
    assert sum(each.stat().st_size for each in folder.iterdir()) < 40_000
