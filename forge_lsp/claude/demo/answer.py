"""Chooses the demo model's answer to a request for code."""

from collections.abc import Sequence

from forge_lsp.claude.demo import building, restoring, skilled, sources
from forge_lsp.claude.demo.asked import Asked
from forge_lsp.claude.demo.catalogue import (
    COLOURS,
    App,
    Edit,
    Replacement,
    applied,
    apps,
    coloured,
)
from forge_lsp.claude.demo.written import CANNED, END, as_edit, as_file, prose


def answer(asked: Asked) -> str:
    """The whole reply, ended by `<done/>`.

    Edits of code that the request holds come first, then whole apps; where neither fits, prose
    says so.
    """
    if asked.planned_file is not None:
        return building.one_file(asked, asked.planned_file)
    if asked.is_reviewing:
        return building.review(asked)
    if asked.is_fixing:
        return _fixed(asked)
    if skilled.is_asked(asked):
        edits = skilled.changes(asked)
        return _changed(asked, edits) if edits else skilled.words(asked)
    named = next((app for app in apps() if asked.names(app.words)), None)
    for app in [named] if named else apps():
        wanted = _wanted(asked, app)
        missing = [edit for edit in wanted if not sources.is_made(asked.files, edit)]
        if wanted and not missing:
            return prose("What you ask for is there already.")
        if fitting := [edit for edit in missing if sources.places(asked.files, [edit])]:
            return _changed(asked, fitting)
        if wanted and asked.mending:
            return _mended(asked, asked.mending, app, wanted)
    return _written(asked, named) if named else prose(_abilities())


def _fixed(asked: Asked) -> str:
    """The files that it wrote once, as it wrote them."""
    restored = restoring.restored(asked.files)
    if not restored:
        return prose("It can only mend what it wrote itself, and this isn't like any of that.")
    parts = [as_file(path, text) for path, text in restored.items()]
    return "\n".join([CANNED, "It puts back what it had written.", "", *parts, END])


def _wanted(asked: Asked, app: App) -> list[Edit]:
    """The edits of `app` that the prompt names, in the colour that it names."""
    named = [colour for word, colour in COLOURS.items() if asked.names([word])]
    wanted = [edit for edit in app.edits if asked.names(edit.words)]
    return [coloured(edit, named[0]) for edit in wanted] if named else wanted


def _changed(asked: Asked, edits: Sequence[Edit]) -> str:
    """Edits of what the request shows: new files, and one element for each file that changes."""
    places = sources.places(asked.files, edits)
    parts: dict[str, str] = {}
    blocks: dict[str, list[Replacement]] = {}
    for edit in edits:
        for own, text in edit.new_files.items():
            path = sources.beside(own, places)
            parts[path] = as_file(path, text)
        for own, replacements in edit.replacements.items():
            blocks.setdefault(places[own], []).extend(replacements)
    for path, replacements in blocks.items():
        parts[path] = (
            as_edit(path, replacements)
            if asked.takes_edits
            else as_file(path, _replaced(asked.files[path], replacements))
        )
    shown = [part for path, part in parts.items() if asked.mending in (None, path)]
    return "\n".join([CANNED, *(edit.intro for edit in edits), "", *shown, END])


def _mended(asked: Asked, path: str, app: App, wanted: Sequence[Edit]) -> str:
    """The file that an edit didn't fit: whole, from the demo's own text, where that is wanted."""
    files = applied(app.files, wanted)
    own = sources.named_alike(files, path)
    if asked.takes_edits or not own:
        return prose(f"It can only edit what it wrote itself, and {path} has changed since.")
    return "\n".join([CANNED, *(edit.intro for edit in wanted), "", as_file(path, files[own]), END])


def _written(asked: Asked, app: App) -> str:
    """An app whose code the request doesn't show, with the edits that the prompt names."""
    wanted = _wanted(asked, app)
    files = applied(app.files, wanted)
    foreign = {} if asked.is_creating else _alike(asked, wanted)
    intros = [CANNED, *(edit.intro for edit in wanted), ""]
    if not foreign:
        parts = [as_file(path, text) for path, text in files.items()]
        packages = [f'<package name="{name}"/>' for name in app.packages]
        return "\n".join([CANNED, app.intro, *intros[1:], *parts, *packages, END])
    if all(_is_sketch(asked, path) for path in foreign.values()):
        parts = [as_file(path, files[own]) for own, path in foreign.items()]
        return "\n".join([*intros, *parts, END])
    return prose(
        f"It can only edit what it wrote itself, and {', '.join(foreign.values())} is different. "
        f"Ask it to create {app.title} first, or set ANTHROPIC_API_KEY for a model that thinks."
    )


def _alike(asked: Asked, wanted: Sequence[Edit]) -> dict[str, str]:
    """Files of the project that bear the names of files of ours, by the demo's own paths."""
    known = [*asked.files, *asked.paths]
    alike = {own: sources.named_alike(known, own) for edit in wanted for own in edit.replacements}
    return {own: path for own, path in alike.items() if path}


def _is_sketch(asked: Asked, path: str) -> bool:
    return path in asked.files and sources.is_sketch(asked.files[path])


def _abilities() -> str:
    titles = ", ".join(app.title for app in apps())
    return (
        f"It knows {titles}, and a few edits to each: try “a counter”, then “add a reset button”, "
        "“a step size” or “a dark style”. Set ANTHROPIC_API_KEY for a model that thinks."
    )


def _replaced(text: str, replacements: Sequence[Replacement]) -> str:
    for each in replacements:
        text = text.replace(each.search, each.replace, 1)
    return text
