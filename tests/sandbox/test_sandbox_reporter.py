"""What a page throws, in a real browser, is told on the files of the project."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Page, async_playwright

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.sandbox import SandboxDiagnostic
from forge_lsp.sandbox.instance import LocalSandbox
from forge_lsp.sandbox.local import LocalProvider

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs Chromium"),
]

APP = ProjectPath.parse("src/App.tsx")
PATIENCE_S = 30.0
WELL = b"export default function App() {\n  return <h1>well</h1>;\n}\n"


@pytest.fixture
async def sandbox(provider: LocalProvider) -> LocalSandbox:
    made = await provider.create(print)
    assert isinstance(made, LocalSandbox)
    return made


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = await browser.new_page()
        yield page
        await browser.close()


async def thrown(sandbox: LocalSandbox) -> list[SandboxDiagnostic]:
    report = await sandbox.diagnostics(())
    return [each for each in report.diagnostics if each.code == "runtime"]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def some_error(sandbox: LocalSandbox) -> SandboxDiagnostic:
    async def is_there() -> bool:
        return bool(await thrown(sandbox))

    await until(is_there)
    (found,) = await thrown(sandbox)
    return found


async def test_an_error_in_rendering_is_told_once_and_gone_after_the_mend(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        APP,
        b"type User = { name: string };\n"
        b"\n"
        b"export default function App() {\n"
        b"  const user = null as unknown as User;\n"
        b"  return <h1>{user.name}</h1>;\n"
        b"}\n",
    )
    await page.goto(sandbox.url)
    found = await some_error(sandbox)
    assert (found.file, found.line, found.severity, found.source) == (APP, 5, "error", "page")
    assert (found.column, found.end_column) == (20, 24)
    assert found.message.startswith("TypeError: Cannot read properties of null (reading 'name')")
    await sandbox.write(APP, WELL)
    await page.wait_for_selector("text=well")
    assert await thrown(sandbox) == []


async def test_an_error_in_an_event_handler_is_told_where_it_was_thrown(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        ProjectPath.parse("src/press.ts"),
        b'// Presses.\nexport function press(): never {\n  throw new RangeError("pressed");\n}\n',
    )
    await sandbox.write(
        APP,
        b'import { press } from "./press";\n'
        b"export default () => <button onClick={() => press()}>Press</button>;\n",
    )
    await page.goto(sandbox.url)
    await page.wait_for_selector("button")
    assert await thrown(sandbox) == []
    stirred = asyncio.create_task(sandbox.stirred())
    await page.click("button")
    await asyncio.wait_for(stirred, PATIENCE_S)
    (found,) = await thrown(sandbox)
    assert (found.file, found.line, found.column) == ("src/press.ts", 3, 9)
    assert found.message == "RangeError: pressed"


async def test_a_rejected_promise_is_told_and_forgotten_when_the_page_is_loaded_anew(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        APP,
        b'const fail = async () => {\n  await Promise.reject(new Error("no luck"));\n};\n'
        b'if (!location.hash) void fail();\nelse location.hash = "#loaded";\n'
        b"export default () => <h1>well</h1>;\n",
    )
    await page.goto(sandbox.url)
    found = await some_error(sandbox)
    assert (found.file, found.line, found.message) == (APP, 2, "Error: no luck")
    await sandbox.stirred()
    stirred = asyncio.create_task(sandbox.stirred())
    await page.evaluate("location.hash = '#quiet'")
    await page.reload()
    await asyncio.wait_for(stirred, PATIENCE_S)
    await page.wait_for_selector("text=well")
    assert await thrown(sandbox) == []


async def test_what_an_error_boundary_catches_is_told_once(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        APP,
        b'import { Component, type ReactNode } from "react";\n'
        b"class Boundary extends Component<{ children: ReactNode }> {\n"
        b"  state = { failed: false };\n"
        b"  static getDerivedStateFromError() { return { failed: true }; }\n"
        b"  render() { return this.state.failed ? <p>caught</p> : this.props.children; }\n"
        b"}\n"
        b"function Broken(): ReactNode {\n"
        b'  throw new Error("inside");\n'
        b"}\n"
        b"export default () => <Boundary><Broken /></Boundary>;\n",
    )
    await page.goto(sandbox.url)
    await page.wait_for_selector("text=caught")
    found = await some_error(sandbox)
    assert (found.file, found.line, found.message) == (APP, 8, "Error: inside")


async def test_the_console_goes_to_the_log_and_is_no_problem(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        APP,
        b'console.error("%s is \\u001b[31mwrong", "This", { why: 1 });\n'
        b"export default () => <h1>well</h1>;\n",
    )
    await page.goto(sandbox.url)

    async def is_logged() -> bool:
        lines = [each.text for each in sandbox.logs() if each.source == "page"]
        return 'This is wrong {"why":1}' in lines

    await until(is_logged)
    assert await thrown(sandbox) == []


async def test_a_module_that_does_not_load_is_told_by_the_dev_server_alone(
    sandbox: LocalSandbox, page: Page
) -> None:
    later = ProjectPath.parse("src/later.ts")
    await sandbox.write(later, b"export const = 1;\n")
    await sandbox.write(APP, b'void import("./later");\nexport default () => <h1>well</h1>;\n')
    await page.goto(sandbox.url)
    await page.wait_for_selector("text=well")

    async def is_logged() -> bool:
        return any("later" in each.text for each in sandbox.logs() if each.source == "page")

    await until(is_logged)
    report = await sandbox.diagnostics()
    assert {(each.file, each.code) for each in report.diagnostics} == {(later, "parse_error")}


async def test_an_error_that_a_page_throws_on_and_on_ends_with_its_cause(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        APP,
        b'import { useEffect } from "react";\n'
        b"export default function App() {\n"
        b"  useEffect(() => {\n"
        b'    const tick = setInterval(() => { throw new Error("tick"); }, 5);\n'
        b"    return () => clearInterval(tick);\n"
        b"  }, []);\n"
        b"  return <h1>ill</h1>;\n"
        b"}\n",
    )
    await page.goto(sandbox.url)
    found = await some_error(sandbox)
    assert (found.file, found.line, found.message) == (APP, 4, "Error: tick")
    await sandbox.write(APP, WELL)
    await page.wait_for_selector("text=well")
    assert await thrown(sandbox) == []


async def test_a_hostile_page_can_tell_nothing_of_files_that_are_not_there(
    sandbox: LocalSandbox, page: Page
) -> None:
    await page.goto(sandbox.url)
    stacks = [
        "at x (http://evil.test/src/App.tsx:1:1)",
        f"at x ({sandbox.url}../../etc/passwd:1:1)",
        f"at x ({sandbox.url}@fs/etc/passwd:1:1)",
        f"at x ({sandbox.url}src/App.tsx:9999999:9999999)",
        f"at x ({sandbox.url}node_modules/react/index.js:1:1)",
    ]
    for number, stack in enumerate(stacks):
        status = await page.evaluate(
            """async ([text, stack]) => (await fetch("/__forge/happened", {
                method: "POST",
                headers: { "Content-Type": "application/json" },
                body: JSON.stringify({ page: "made", happened: [{ kind: "thrown", text, stack }] }),
            })).status""",
            [f"Error: {number}", stack],
        )
        assert status == 204
    found = await thrown(sandbox)
    assert [(each.file, each.line) for each in found] == [("index.html", 1)] * len(stacks)


async def test_a_page_that_breaks_its_own_world_is_still_heard(
    sandbox: LocalSandbox, page: Page
) -> None:
    await sandbox.write(
        APP,
        b"window.fetch = () => { throw 1; };\n"
        b"JSON.stringify = () => { throw 2; };\n"
        b"Error.prototype.toString = () => { throw 4; };\n"
        b'setTimeout(() => { throw new Error("heard"); });\n'
        b"export default () => <h1>well</h1>;\n",
    )
    await page.goto(sandbox.url)
    await page.wait_for_selector("text=well")
    await some_error(sandbox)
