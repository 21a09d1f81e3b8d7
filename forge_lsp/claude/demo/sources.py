"""Finds the demo's own code among the files of a project, under whatever paths it has there."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from forge_lsp.claude.demo.catalogue import Edit

SKETCH_LINES = 12


def places(files: Mapping[str, str], edits: Iterable[Edit]) -> dict[str, str]:
    """The paths of the files that `edits` change, by the paths that the demo gave them.

    Empty where one of them isn't there, or not as the demo wrote it.
    """
    found: dict[str, str] = {}
    for edit in edits:
        for own, replacements in edit.replacements.items():
            searched = [replacement.search for replacement in replacements]
            actual = _file_with(files, searched)
            if actual is None:
                return {}
            found[own] = actual
    return found


def is_made(files: Mapping[str, str], edit: Edit) -> bool:
    """Whether `edit` has been made already."""
    return all(
        _file_with(files, [replacement.replace for replacement in replacements])
        for replacements in edit.replacements.values()
    )


def is_sketch(text: str) -> bool:
    """Whether a file is too short to be more than the idea of a component."""
    return text.count("\n") <= SKETCH_LINES


def beside(own: str, found: Mapping[str, str]) -> str:
    """Where the demo's file `own` belongs in a project that has others of its files at `found`."""
    for neighbour, actual in found.items():
        if actual.endswith(neighbour):
            return actual.removesuffix(neighbour) + own
        if neighbour.endswith("/" + actual):
            return own.removeprefix(neighbour.removesuffix(actual))
    return own


def named_alike(paths: Iterable[str], own: str) -> str | None:
    """The first of `paths` whose file has the name of the demo's file `own`."""
    name = PurePosixPath(own).name
    return next((path for path in paths if PurePosixPath(path).name == name), None)


def _file_with(files: Mapping[str, str], passages: Iterable[str]) -> str | None:
    """The first file that holds each of `passages` as whole lines, exactly once."""
    wanted = [f"\n{passage}\n" for passage in passages]
    for path, text in files.items():
        if all(f"\n{text}".count(passage) == 1 for passage in wanted):
            return path
    return None
