"""Mending by the demo model: what comes nearest to a file among all that it can write."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from forge_lsp.claude.demo import sources
from forge_lsp.claude.demo.catalogue import App, applied, apps

ALIKE = 0.6
"""Of 1: what is less like a file of ours is somebody else's."""


def restored(files: Mapping[str, str]) -> dict[str, str]:
    """Those of `files` that it wrote and that were changed since, as they were."""
    nearest = {path: _nearest(path, text) for path, text in files.items()}
    return {path: text for path, text in nearest.items() if text and text != files[path]}


def _nearest(path: str, text: str) -> str:
    lines = text.splitlines()
    best, how_alike = "", ALIKE
    for written in _written(path):
        matcher = SequenceMatcher(None, lines, written.splitlines(), autojunk=False)
        if matcher.ratio() > how_alike:
            best, how_alike = written, matcher.ratio()
    return best


def _written(path: str) -> Iterator[str]:
    """Every text that a file of this name may have been given."""
    for app in apps():
        for files in _variants(app):
            own = sources.named_alike(files, path)
            if own:
                yield files[own]


def _variants(app: App) -> Iterator[Mapping[str, str]]:
    yield app.files
    if app.review:
        yield applied(app.files, [app.review])
    for edit in app.edits:
        yield applied(app.files, [edit])
    yield applied(app.files, app.edits)
