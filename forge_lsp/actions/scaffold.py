"""An empty folder becomes a project: what the template holds and the folder doesn't."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forge_lsp.paths import ProjectPath
from forge_lsp.ports.workspace import Files

PROJECT_MARKS = frozenset({"package.json", "index.html", "pyproject.toml", "cargo.toml", "go.mod"})
FEW = 5
"""A folder with more files is somebody's project, whatever it lacks."""


def is_empty(paths: Sequence[ProjectPath]) -> bool:
    """Whether a folder with these files is still to become a project.

    Notes and a file or two with instructions in them don't make it one.
    """
    code = [path for path in paths if path.suffix not in (".md", ".txt")]
    return len(code) <= FEW and not any(path.lower() in PROJECT_MARKS for path in code)


@dataclass(frozen=True, slots=True)
class ScaffoldedFiles:
    """A workspace as it would be with the template laid under it."""

    workspace: Files
    template: Mapping[ProjectPath, bytes]

    async def files(self) -> Sequence[ProjectPath]:
        """The workspace's files and the template's."""
        return sorted({*await self.workspace.files(), *self.template})

    async def read(self, path: ProjectPath) -> bytes | None:
        """The workspace's file where it has one, else the template's."""
        found = await self.workspace.read(path)
        return self.template.get(path) if found is None else found
