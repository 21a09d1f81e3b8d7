"""The way from a prompt to a page, each step of it verified."""

import asyncio
import json
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.tree import Tree

from forge_lsp import events
from forge_lsp.cli.demo import preview
from forge_lsp.cli.demo.editor import Editor, opened
from forge_lsp.cli.demo.view import RunView
from forge_lsp.cli.signals import told_to_end
from forge_lsp.cli.terminal import printable
from forge_lsp.errors import ForgeError

PROMPT = (
    "A counter in src/Counter.tsx with buttons to increment, decrement and reset it, "
    "shown in the middle of the page by src/App.tsx"
)
BUILD_PROMPT = "A landing page with a hero, features, pricing and a footer"
RUN_TIMEOUT_S = 1200.0
MODULES = (".tsx", ".ts", ".jsx", ".js")


class DemoFailed(ForgeError):
    """A step of the demo that did not do what it should."""

    code = "demo_failed"
    remedy = "`forge-lsp doctor` shows what may be missing."


@contextmanager
def workspace(*, keep: bool) -> Generator[Path]:
    """An empty folder, which stays afterwards if it is to be kept."""
    if keep:
        yield Path(tempfile.mkdtemp(prefix="forge-lsp-demo-")).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="forge-lsp-demo-") as name:
        yield Path(name).resolve()


async def give(console: Console, command: str, prompt: str, *, keep: bool, once: bool) -> None:
    """Show it all, then stay until told to end, or with `once` end by itself.

    `command` is what the prompt is given to: `forge.generate` or `forge.build`.

    Raises a `ForgeError` for the first step that fails, and `CancelledError` where it is told to
    end before the page is up. However it ends, nothing is left running.
    """
    page_is_up = asyncio.Event()
    async with told_to_end() as end:
        leave = end
        if once:
            leave = asyncio.Event()
            leave.set()
        showing = asyncio.create_task(
            _show(console, (command, prompt), page_is_up, leave, keep=keep), name="demo"
        )
        ending = asyncio.create_task(end.wait(), name="demo-end")
        await asyncio.wait({showing, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not page_is_up.is_set():
            showing.cancel()
        await showing
    console.print("All went well, and all that was started has ended.")


async def _show(
    console: Console,
    asked: tuple[str, str],
    page_is_up: asyncio.Event,
    leave: asyncio.Event,
    *,
    keep: bool,
) -> None:
    with workspace(keep=keep) as folder:
        console.print(f"Opening {folder} in an editor, with forge-lsp as its language server")
        async with opened(folder) as editor:
            await _check_status(console, editor)
            url = await _build(console, editor, *asked)
            if keep:
                console.print(f"The files stay in {folder}")
            if not leave.is_set():
                console.print("Look at it in your browser. Ctrl-C ends the demo.")
            page_is_up.set()
            await leave.wait()
        if await preview.is_up(url):
            raise DemoFailed(f"The preview at {url} still answers after its server has ended.")


async def _check_status(console: Console, editor: Editor) -> None:
    status = await editor.execute("forge.status")
    sandbox, model = status["sandbox"], status["model"]
    missing: list[Mapping[str, str]] = status["missing"]
    if model is None or sandbox["isolation"] == "none":
        raise DemoFailed(
            " ".join(each["what"] for each in missing),
            remedy=" ".join(each["remedy"] for each in missing),
        )
    if model["is_canned"]:
        console.print(
            "THIS IS THE DEMO MODEL: its answers are prepared, no AI is at work.",
            style="bold yellow",
        )
        console.print("Set ANTHROPIC_API_KEY and start again to let Claude write.", style="yellow")
    else:
        console.print(f"The model is {model['code_model']}")


async def _build(console: Console, editor: Editor, command: str, prompt: str) -> str:
    """From the prompt to the page; gives the preview's URL."""
    console.print(f"{command}: {printable(prompt)}", style="bold")
    generated = await _run(console, editor, command, {"prompt": prompt})
    if not generated.files:
        raise DemoFailed("The model wrote no file.", remedy="Try another prompt.")
    if not generated.preview_url:
        raise DemoFailed("The run made no sandbox, so there is no preview.")
    if any(editor.folder.iterdir()):
        raise DemoFailed("Files are in the workspace that nobody has accepted yet.")
    console.print("forge.review.accept", style="bold")
    await _run(console, editor, "forge.review.accept", {})
    _check_files(editor.folder, generated)
    console.print(_tree(editor.folder))
    await _check_preview(generated)
    console.print(f"✓ The page is up: {generated.preview_url}", style="bold green")
    return generated.preview_url


async def _run(
    console: Console, editor: Editor, command: str, argument: Mapping[str, Any]
) -> RunView:
    """Start a run and follow it to its end; raises `DemoFailed` unless it ended well."""
    answer = await editor.execute(command, argument)
    view = RunView()
    try:
        async with asyncio.timeout(RUN_TIMEOUT_S):
            with console.status(view.now) as spinner:
                while view.finished is None:
                    event = await _next_event(editor, answer["runId"])
                    if line := view.take(event):
                        console.print(printable(line))
                    spinner.update(printable(view.now))
    except TimeoutError as error:
        raise DemoFailed(f"{command} did not end within {RUN_TIMEOUT_S:.0f} s.") from error
    if view.finished.outcome != "completed":
        raise DemoFailed(f"{command} {view.finished.outcome}: {view.finished.message}", remedy="")
    if view.refused:
        raise DemoFailed(f"Not all could be applied: {'; '.join(view.refused)}.")
    return view


async def _next_event(editor: Editor, run_id: str) -> events.Event:
    while True:
        method, params = await editor.next_note()
        if method == "forge/event" and params["runId"] == run_id:
            return events.decode(json.dumps(params["event"]).encode())


def _check_files(folder: Path, generated: RunView) -> None:
    """What the model wrote must stand on the disk, byte for byte."""
    for path, content in generated.files.items():
        place = folder / path
        found = place.read_bytes().decode() if place.is_file() else None
        if found != content:
            raise DemoFailed(f"{path} in the workspace isn't what the model wrote.")


async def _check_preview(generated: RunView) -> None:
    await preview.check_page(generated.preview_url)
    for path, content in generated.files.items():
        if content is not None and path.startswith("src/") and path.endswith(MODULES):
            await preview.check_module(generated.preview_url, path)


def _tree(folder: Path) -> Tree:
    root = Tree(f"{folder.name}/")
    branches = {folder: root}
    for place in sorted(folder.rglob("*")):
        branch = branches[place.parent]
        if place.is_dir():
            branches[place] = branch.add(f"{printable(place.name)}/")
        else:
            branch.add(f"{printable(place.name)}  {place.stat().st_size:,} bytes")
    return root
