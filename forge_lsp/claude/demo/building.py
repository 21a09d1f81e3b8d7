"""The demo model's part in a build: the plan of one of its apps, its files, and a review."""

import json
import posixpath
import re

from forge_lsp.claude.demo import sources
from forge_lsp.claude.demo.asked import Asked
from forge_lsp.claude.demo.catalogue import App, apps
from forge_lsp.claude.demo.written import CANNED, END, as_edit, as_file, prose

_EXPORT = re.compile(r"^export (?:default )?(?:function|const|type|interface|class) .*$", re.M)
_IMPORT = re.compile(r'^import .*?from "(\.[^"]*)";$', re.M)
_PURPOSES = {"App": "puts the app together", "data": "what is shown", "theme": "colours and focus"}
_NOTHING_TO_PATCH = "Looks good: the files fit together, and nothing needs a patch."


def plan(asked: Asked) -> str:
    """JSON that fits `generation.plans.PLAN_SCHEMA`: the app that the prompt names, else the
    landing page."""
    app = _app(asked)
    files = [
        {
            "path": path,
            "purpose": _purpose(path),
            "exports": [_declared(line) for line in _EXPORT.findall(text)],
            "uses": [used for name in _IMPORT.findall(text) if (used := _path(app, path, name))],
        }
        for path, text in app.files.items()
    ]
    return json.dumps(
        {
            "summary": f"{CANNED} {app.intro}",
            "files": files,
            "packages": list(app.packages),
            "design": {
                "palette": [
                    {"role": "background", "colour": "white"},
                    {"role": "text", "colour": "slate-900"},
                    {"role": "accent", "colour": "indigo-700"},
                ],
                "typography": "The system's sans serif; bold, tight headings",
                "layout": "One column, at most 72 rem wide, with generous space",
                "components": ["Rounded buttons with a visible focus", "Cards with a thin ring"],
            },
        }
    )


def one_file(asked: Asked, path: str) -> str:
    """The file of the plan that is asked for."""
    text = _app(asked).files.get(path)
    if text is None:
        return prose(f"It plans no file {path}.")
    return "\n".join([f"Writing {path}.", "", as_file(path, text), END])


def review(asked: Asked) -> str:
    """Notes on the app that the request shows, with a patch where the demo has one."""
    patch = _app(asked).review
    if patch is None or not (places := sources.places(asked.files, [patch])):
        return prose(_NOTHING_TO_PATCH)
    parts = [as_edit(places[own], blocks) for own, blocks in patch.replacements.items()]
    return "\n".join([patch.intro, "", *parts, END])


def _app(asked: Asked) -> App:
    """By what the developer asked for, which everybody who takes part is shown."""
    named = (app for app in apps() if asked.names(app.words))
    return next(named, apps()[-1])


def _purpose(path: str) -> str:
    name = posixpath.basename(path).partition(".")[0]
    return _PURPOSES.get(name, f"the part of the page that {name} names")


def _declared(line: str) -> str:
    """The declaration without what it is set to."""
    return re.sub(r"\s*(?:=.*|\{)$", "", line)


def _path(app: App, of: str, imported: str) -> str | None:
    place = posixpath.normpath(posixpath.join(posixpath.dirname(of), imported))
    return next((f"{place}{end}" for end in (".ts", ".tsx") if f"{place}{end}" in app.files), None)
