"""Changes of an app that runs: kept only as long as they don't break it."""

from collections.abc import Mapping, Sequence

from forge_lsp.actions.drafting import Drafting
from forge_lsp.actions.drafts import Drafts
from forge_lsp.actions.repair import Problems, Repair
from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.texts import as_text
from forge_lsp.generation.problems import new_errors
from forge_lsp.paths import ProjectPath


class Guard:
    """What the app was like before a change, to put it back where the change makes it worse."""

    def __init__(self, work: Drafting, repair: Repair | None, errors: Problems) -> None:
        self.errors = errors
        """What was wrong before."""
        self._work = work
        self._repair = repair
        self._before: Mapping[ProjectPath, FileChange] = dict(work.drafts.changes)

    @classmethod
    async def begin(cls, work: Drafting, repair: Repair | None) -> "Guard":
        """Look at the app as it is; without a `repair` there is no sandbox to look at.

        Raises `SandboxFailed`.
        """
        return cls(work, repair, () if repair is None else await repair.look(()))

    @property
    def changed(self) -> Sequence[ProjectPath]:
        """The files that are other than before."""
        return [
            path
            for path, change in self._work.drafts.changes.items()
            if path not in self._before or self._before[path].after != change.after
        ]

    async def settle(self, drafts: Drafts) -> Problems:
        """Keep the changes, or put back what was there; gives the errors that they brought.

        Raises `SandboxFailed` where the app can't be looked at; nothing is put back then.
        """
        if self._repair is None or not self.changed:
            return ()
        await self._work.install_needed()
        # Until all is in place, it isn't the changed app that is looked at.
        await self._work.applier.drained()
        worse = new_errors(self.errors, await self._repair.look(()))
        if worse:
            await self.put_back(drafts)
        return worse

    async def put_back(self, drafts: Drafts) -> None:
        """Make every file what it was, byte for byte; those that are no text are not told of."""
        changes = self._work.drafts.changes
        for path in self.changed:
            earlier = self._before.get(path)
            content = changes[path].before if earlier is None else earlier.after
            text = None if content is None else as_text(content)
            if content is None or text is not None:
                await drafts.propose(path, text)
            if changes[path].after != content:
                self._work.applier.put(path, content)
            if earlier is None:
                del changes[path]
            else:
                changes[path] = earlier
