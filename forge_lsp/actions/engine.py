"""Everything that actions work with, in one place; `app` makes it, the wires hand it on."""

from dataclasses import dataclass, field

from forge_lsp.actions.following import Following
from forge_lsp.actions.late import Late
from forge_lsp.actions.review import Reviews
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.ports.model import Model
from forge_lsp.ports.store import Store
from forge_lsp.ports.workspace import Workspace
from forge_lsp.runs import Runs
from forge_lsp.settings import Places, Settings
from forge_lsp.upkeep import Upkeep

OWNER = "owner"
"""The account of the person whose machine this is."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of one process."""

    settings: Settings
    places: Places
    store: Store
    runs: Runs
    model: Late[Model]
    sandboxes: Sandboxes
    reviews: Reviews
    upkeep: Upkeep | None = None
    """None in an engine that does without."""

    workspaces: dict[str, Workspace] = field(default_factory=dict[str, Workspace])
    """Those that are open in an editor of this process, by their project."""
    following: Following = field(default_factory=Following)
    """The projects whose fragments are brought here when others edit them."""

    async def close(self) -> None:
        """Follow nobody, end the runs, then the sandboxes, then close what they wrote to."""
        await self.following.close()
        if self.upkeep is not None:
            await self.upkeep.close()
        await self.runs.close()
        await self.sandboxes.close()
        await self.following.disown(self.store)
        if self.model.opened is not None:
            await self.model.opened.close()
        await self.store.close()
