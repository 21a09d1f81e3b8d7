"""The files that a reply comes to: each whole, with what it was before."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from forge_lsp import events
from forge_lsp.changes.hunks import hunks_between
from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.texts import as_bytes, as_text
from forge_lsp.generation import reply
from forge_lsp.generation.context import ContextFile
from forge_lsp.generation.edits import BlockFailure, apply_blocks, elides_code, needs_whole_file
from forge_lsp.generation.packages import imported_packages
from forge_lsp.paths import ProjectPath
from forge_lsp.ports.workspace import Files, Workspace
from forge_lsp.runs import Run

NO_TEXT = "it is not UTF-8 text"
AS_ASKED = "it is already as asked"


class FileSink(Protocol):
    """Takes finished files while others are still being written."""

    def put(self, path: ProjectPath, content: bytes | None) -> None:
        """`content` is None for a file that is to go; never blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Misfit:
    """A file whose change could not be made as the reply has it."""

    path: ProjectPath
    current: str
    failures: tuple[BlockFailure, ...]
    """Empty where only the whole file will do."""


class Drafts:
    """Turns what the parser finds into whole files, tells the run, and hands them on."""

    def __init__(self, run: Run, source: Files, workspace: Workspace | None = None) -> None:
        self.shown: set[str] = set()
        """Files that the model has seen, wholly or in part."""
        self.partial: frozenset[str] = frozenset()
        """Files that the model saw only in part, and so may not rewrite."""
        self.sink: FileSink | None = None
        self.changes: dict[ProjectPath, FileChange] = {}
        self.unchanged: set[ProjectPath] = set()
        """Files that are as they were asked to be already."""
        self.packages: dict[str, None] = {}
        """Names that the code imports or the model asked for, in order, once."""
        self.prose = ""
        """What the model said beside the files."""
        self.is_complete = False
        """The model said that its reply is complete."""
        self.given_up: list[ProjectPath] = []
        """Files whose edit didn't fit, however often it was asked for."""
        self._run = run
        self._source = source
        self._workspace = workspace
        self._open: set[ProjectPath] = set()
        self._misfits: dict[ProjectPath, Misfit] = {}
        self._of_others: Collection[ProjectPath] = ()

    def another(self, of_others: Collection[ProjectPath] = ()) -> "Drafts":
        """For another reply, at the same time or after: what it comes to is added here.

        It may not write the files `of_others`.
        """
        drafts = Drafts(self._run, self._source, self._workspace)
        drafts.shown, drafts.partial = set(self.shown), self.partial
        drafts.sink, drafts.changes, drafts.packages = self.sink, self.changes, self.packages
        drafts.unchanged = self.unchanged
        drafts._of_others = of_others
        return drafts

    @property
    def is_open(self) -> bool:
        """Whether the reply stands in the middle of a file."""
        return bool(self._open)

    @property
    def misfits(self) -> Sequence[Misfit]:
        """What has to be asked for again."""
        return tuple(self._misfits.values())

    async def take(self, parsed: Sequence[reply.ReplyEvent]) -> None:
        """Carry out what the parser found, in order."""
        for event in parsed:
            match event:
                case reply.Prose(text):
                    self.prose += text
                case reply.BodyStarted(path, action):
                    self._open.add(path)
                    await self._run.append(events.FileStarted(path, action))
                case reply.BodyPiece(path, text):
                    await self._run.stream_file(path, text)
                case reply.PackageTag(name):
                    self.packages[name] = None
                case reply.Draft(path):
                    await self._drop(path, "the reply ended before the file did")
                case reply.Dropped(path, reason):
                    await self._drop(path, reason)
                case reply.ReplyEnded():
                    self.is_complete = True
                case _:
                    await self._take_file(event)

    async def text(self, path: ProjectPath) -> str | None:
        """The file's text as it would be by now; None where there is none or it isn't text."""
        content = await self._content(path)
        return None if content is None else as_text(content)

    def show(self, files: Sequence[ContextFile]) -> None:
        """Remember what the model is shown from now on."""
        self.shown |= {file.path for file in files}
        whole = {file.path for file in files if not file.is_partial}
        self.partial = (self.partial | {file.path for file in files if file.is_partial}) - whole

    async def propose(self, path: ProjectPath, text: str | None) -> bool:
        """Take a whole file, or its deletion; a file that would stay as it is is dropped.

        False where the file may not be written.
        """
        why = self._workspace.why_not_writable(path) if self._workspace else ""
        if path in self._of_others:
            why = "somebody else writes it"
        if why:
            await self._drop(path, why)
            return False
        before = await self._before(path)
        after = None if text is None else as_bytes(text, before)
        if after == before and path not in self.changes:
            self.unchanged.add(path)
            await self._drop(path, AS_ASKED)
            return True
        self._close(path)
        self.changes[path] = FileChange(path, before, after)
        for name in imported_packages(path, text or ""):
            self.packages[name] = None
        hunks = hunks_between(before, after or b"") if before is not None else ()
        await self._run.append(events.FileFinished(path, text, hunks))
        if self.sink:
            self.sink.put(path, after)
        return True

    async def give_up_misfits(self) -> None:
        """Drop what asking again didn't mend."""
        for misfit in self.misfits:
            reason = "its edit doesn't fit the file, and asking again didn't help"
            await self._run.append(
                events.Problem("edit_unmatched", f"{misfit.path}: {reason}.", misfit.path)
            )
            await self._drop(misfit.path, reason)
            self.given_up.append(misfit.path)

    async def _take_file(
        self, event: reply.WholeFile | reply.EditBlocks | reply.Deletion | reply.Rename
    ) -> None:
        match event:
            case reply.WholeFile(path, content):
                await self._take_whole(path, content)
            case reply.EditBlocks(path):
                await self._take_edit(event)
            case reply.Deletion(path):
                await self.propose(path, None)
            case reply.Rename(old, new):
                text = await self.text(old)
                if text is None:
                    await self._drop(new, f"{old}, of which it was to be made, can't be read")
                elif new == old:
                    await self._drop(new, AS_ASKED)
                elif await self.propose(new, text):
                    await self.propose(old, None)

    async def _take_whole(self, path: ProjectPath, content: str) -> None:
        current = await self.text(path)
        if current is None and await self._content(path) is not None:
            await self._drop(path, NO_TEXT)
            return
        if current is not None and path in self.partial:
            await self._drop(path, "the model saw only a part of it and may not rewrite all of it")
        elif current is not None and self._is_blind(path, current, content):
            self._misfit(path, current)
        else:
            await self.propose(path, content)

    async def _take_edit(self, edit: reply.EditBlocks) -> None:
        current = await self.text(edit.path)
        if current is None:
            if await self._content(edit.path) is not None:
                await self._drop(edit.path, NO_TEXT)
                return
            current = ""
        if needs_whole_file(current):
            self._misfit(edit.path, current)
            return
        result = apply_blocks(current, edit.blocks)
        if result.content is None:
            self._misfit(edit.path, current, result.failures)
        else:
            await self.propose(edit.path, result.content)

    def _is_blind(self, path: ProjectPath, current: str, content: str) -> bool:
        """Whether a whole file would lose what the model didn't see, or left for others to fill."""
        is_unseen = path not in self.shown and path not in self.changes
        return is_unseen or (elides_code(content) and not elides_code(current))

    def _misfit(
        self, path: ProjectPath, current: str, failures: tuple[BlockFailure, ...] = ()
    ) -> None:
        self._open.discard(path)
        self.shown.add(path)
        self._misfits[path] = Misfit(path, current, failures)

    def _close(self, path: ProjectPath) -> None:
        self._open.discard(path)
        self._misfits.pop(path, None)

    async def _drop(self, path: str, reason: str) -> None:
        for known in [*self._open, *self._misfits]:
            if known == path:
                self._close(known)
        await self._run.append(events.FileDropped(path, reason))

    async def _before(self, path: ProjectPath) -> bytes | None:
        """The file's bytes as the run found them."""
        if path in self.changes:
            return self.changes[path].before
        return await self._source.read(path)

    async def _content(self, path: ProjectPath) -> bytes | None:
        """The file's bytes as they would be by now."""
        if path in self.changes:
            return self.changes[path].after
        return await self._source.read(path)
