"""Projects as the demo model writes them, byte for byte."""

from forge_lsp.claude.demo.catalogue import App, applied, apps
from forge_lsp.sandbox.template import template_files

COUNTER = "src/Counter.tsx"
APP = "src/App.tsx"


def counter_project() -> dict[str, bytes]:
    """The template with the counter in it."""
    return {**template_files(), **_encoded(dict(_counter().files))}


def counter_with_reset() -> bytes:
    """The counter's file after "add a reset button"."""
    counter = _counter()
    reset = next(edit for edit in counter.edits if "reset" in edit.words)
    return applied(counter.files, [reset])[COUNTER].encode()


def _counter() -> App:
    return next(app for app in apps() if app.title == "a counter")


def _encoded(files: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}
