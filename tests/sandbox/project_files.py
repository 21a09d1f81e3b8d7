"""A workspace in memory, as a provider reads it, and small projects to put there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from forge_lsp.paths import ProjectPath, is_allowed

SERVER = b"""const ms = require("ms");
const page = () => `<!doctype html><h1>${ms("2 days")}</h1>`;
require("http")
  .createServer((_, answer) => answer.setHeader("content-type", "text/html").end(page()))
  .listen(4321, () => console.log("listening on http://localhost:4321"));
"""
PAGE = "<h1>172800000</h1>"
"""What the plain server answers."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The port `Files` over a dict."""

    held: Mapping[str, bytes]

    async def files(self) -> Sequence[ProjectPath]:
        return sorted(map(ProjectPath.parse, self.held))

    async def read(self, path: ProjectPath) -> bytes | None:
        return self.held.get(path)


def plain(**manifest: object) -> dict[str, bytes]:
    """A server of a few lines of JavaScript that needs one small package."""
    given = {
        "name": "plain",
        "private": True,
        "scripts": {"dev": "node server.js"},
        "dependencies": {"ms": "2.1.3"},
        **manifest,
    }
    return {"package.json": json.dumps(given).encode(), "server.js": SERVER}


@dataclass(frozen=True, slots=True)
class Folder:
    """The port `Files` over a folder on disk."""

    root: Path

    async def files(self) -> Sequence[ProjectPath]:
        names = (each.relative_to(self.root).as_posix() for each in self.root.rglob("*"))
        found = (each for each in names if is_allowed(each) and (self.root / each).is_file())
        return sorted(map(ProjectPath.parse, found))

    async def read(self, path: ProjectPath) -> bytes | None:
        place = self.root / path
        return place.read_bytes() if place.is_file() else None
