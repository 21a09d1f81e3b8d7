"""A cloud sandbox's files.

They lie in a virtual machine of their own, so a link that its code makes leads nowhere else.
"""

import asyncio
import io
import secrets
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from e2b import AsyncSandbox, EntryInfo, FileNotFoundException, FileType, SandboxException

from forge_lsp.errors import ForgeError, NotFound, PathRefused, SandboxFailed
from forge_lsp.paths import ProjectPath, is_allowed
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.commands import Afterwards, Commands, Ended, Listener, Recent
from forge_lsp.sandbox.e2b.failures import DISK_REMEDY
from forge_lsp.sandbox.output import without_controls

APP = "app"
"""The project's folder, from the home folder of the sandbox's user."""
OWN = ".forge-lsp"
"""Our own folder beside it, on the same disk, so that a file can be moved over at once."""
MAX_FILES = 20_000
MAX_LIST_CHARACTERS = 8_000_000
MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_BATCH_BYTES = 32 * 1024 * 1024
"""One upload of many files holds so much, or a single file."""
TIMEOUT_S = 120.0

_LIST = (
    r"find . \( -name node_modules -o -name .git -o -name dist \) -prune -o -type f -print0 "
    f"| head -c {MAX_LIST_CHARACTERS}"
)
_BLOCKED = ("is a directory", "not a directory", "path is a file", "file exists", "not empty")
"""What the sandbox says where something other than a file, or than a folder above it, stands."""
_BLOCKED_REASON = "a link, or no file or folder, is in its way."
_PUT_REASONS = {
    **dict.fromkeys(("EISDIR", "ENOTDIR", "EEXIST", "ENOTEMPTY"), _BLOCKED_REASON),
    **dict.fromkeys(("ENOSPC", "EDQUOT"), "the sandbox's disk is full."),
    **dict.fromkeys(("EACCES", "EPERM", "EROFS"), "the sandbox's own code doesn't allow it."),
}
"""By the errors of Node's file functions."""


class Files:
    """The files below `app` in the home folder; every path that comes in is a `ProjectPath`."""

    def __init__(
        self, sdk: AsyncSandbox, calls: Calls, commands: Commands, afterwards: Afterwards
    ) -> None:
        self._sdk = sdk
        self._calls = calls
        self._commands = commands
        self._afterwards = afterwards

    async def list(self) -> Sequence[ProjectPath]:
        """The regular files that a project may hold, sorted, without node_modules, .git, dist."""
        ended = await self._commands.run(
            "listing the files",
            _LIST,
            cwd=APP,
            timeout_s=TIMEOUT_S,
            max_characters=MAX_LIST_CHARACTERS,
        )
        names = ended.output.split("\0")
        if len(names) > MAX_FILES or len(ended.output) >= MAX_LIST_CHARACTERS:
            raise SandboxFailed(f"The sandbox holds more than {MAX_FILES} files.", remedy="")
        paths = (name.removeprefix("./") for name in names)
        return sorted(ProjectPath.parse(path) for path in paths if _is_listed(path))

    async def read(self, path: ProjectPath) -> bytes:
        """Raises `NotFound` where there is no regular file, `SandboxFailed` for one too large."""
        entry = await self._look(path)
        if entry is None or entry.type is not FileType.FILE:
            raise NotFound(f"{path} isn't a file of the sandbox.")
        return await self.content(path)

    async def content(self, path: ProjectPath) -> bytes:
        """What `read` gives, where it is known that it was a regular file a moment ago."""

        async def once() -> bytes:
            content = bytearray()
            try:
                stream = await self._sdk.files.read(f"{APP}/{path}", format="stream")
            except FileNotFoundException as error:
                raise NotFound(f"{path} isn't a file of the sandbox any more.") from error
            async with stream:
                async for piece in stream:
                    content += piece
                    if len(content) > MAX_FILE_BYTES:
                        raise SandboxFailed(
                            f"{path} holds more than {MAX_FILE_BYTES} bytes.", remedy=""
                        )
            return bytes(content)

        return await self._calls.make(f"reading {path}", once)

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place at once, making folders as needed.

        Raises `PathRefused` where something other than a file is in its way.
        """

        async def once() -> None:
            draft = f"{OWN}/{secrets.token_hex(8)}"
            try:
                await self._upload(draft, content)
                await self._sdk.files.rename(draft, f"{APP}/{path}")
            except SandboxException as error:
                self._afterwards(self._remove(draft))
                if any(words in str(error) for words in _BLOCKED):
                    raise _refused(path) from error
                raise

        await self._calls.make(f"writing {path}", once)

    async def put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        """Put many files in place, each at once, and take away those that are None.

        Two requests for each `MAX_BATCH_BYTES`. Gives those that could not be, and why.
        """
        refused = _above_others(contents)
        for batch in _batches({path: contents[path] for path in contents if path not in refused}):
            refused |= await self._put_batch(batch)
        return refused

    async def _put_batch(
        self, batch: Mapping[ProjectPath, bytes | None]
    ) -> Mapping[ProjectPath, str]:
        packed = await asyncio.to_thread(_packed, batch)

        async def once() -> Ended:
            # Each time under another name: one whose answer was lost may still be at work.
            draft = f"{OWN}/{secrets.token_hex(8)}"
            output = Recent(MAX_LIST_CHARACTERS)
            command = f"exec node {OWN}/put.mjs {draft}"
            try:
                await self._upload(f"{draft}.tar", packed)
                code = await self._commands.once(
                    command, Listener(output.add, output.add), cwd=".", timeout_s=TIMEOUT_S
                )
            except BaseException:
                self._afterwards(self._remove(f"{draft}.tar"))
                raise
            return Ended(code, output.text)

        ended = await self._calls.make("putting files in place", once)
        if ended.code:
            raise _not_unpacked(ended.output)
        found = ended.output.split("\0")
        failed = dict(zip(found[::2], found[1::2], strict=False))
        return {
            path: _PUT_REASONS.get(failed[path], f"it failed with {failed[path][:40]}.")
            for path in batch
            if path in failed
        }

    async def delete(self, path: ProjectPath) -> None:
        """A file that isn't there is a success; raises `PathRefused` for a folder."""
        entry = await self._look(path)
        if entry is None:
            return
        if entry.type is FileType.DIR:
            raise _refused(path)
        await self._calls.make(f"deleting {path}", lambda: self._sdk.files.remove(f"{APP}/{path}"))

    async def own(self, name: str, max_characters: int) -> str:
        """The end of one of our own files; empty where there is none."""
        ended = await self._commands.run(
            "reading a log", f"exec tail -c {max_characters} {OWN}/{name}", cwd=".", timeout_s=30
        )
        return ended.output if ended.code == 0 else ""

    async def write_own(self, name: str, content: bytes) -> None:
        """Put one of our own files in place."""
        await self._calls.make(f"writing {name}", lambda: self._upload(f"{OWN}/{name}", content))

    async def place(self) -> str:
        """Where `app` lies in the sandbox, as its programs name it."""
        entry = await self._calls.make(
            "looking at the app's folder", lambda: self._sdk.files.get_info(APP)
        )
        return entry.path

    async def _upload(self, place: str, content: bytes) -> None:
        # The other form, multipart, breaks at a quotation mark in a path.
        await self._sdk.files.write(  # pyright: ignore[reportUnknownMemberType] - IO of anything.
            place, content, use_octet_stream=True, request_timeout=TIMEOUT_S
        )

    async def _look(self, path: ProjectPath) -> EntryInfo | None:
        async def once() -> EntryInfo | None:
            try:
                return await self._sdk.files.get_info(f"{APP}/{path}")
            except FileNotFoundException:
                return None
            except SandboxException as error:
                if "not a directory" in str(error):
                    return None
                raise

        return await self._calls.make(f"looking at {path}", once)

    async def _remove(self, draft: str) -> None:
        try:
            await self._calls.make("cleaning up", lambda: self._sdk.files.remove(draft))
        except ForgeError:
            # It lies beside the app, where nobody looks, and goes with the sandbox.
            return


def _is_listed(path: str) -> bool:
    """A name that is no UTF-8 comes with the mark of that in it, and names no file any more."""
    return "\ufffd" not in path and is_allowed(path)


def _refused(path: ProjectPath) -> PathRefused:
    return PathRefused(f"{path} is refused: {_BLOCKED_REASON}")


def _not_unpacked(output: str) -> SandboxFailed:
    if "No space left" in output:
        return SandboxFailed("The sandbox's disk is full.", remedy=DISK_REMEDY)
    said = without_controls(output[-300:]).strip()
    return SandboxFailed(f"The files can't be put in place: {said}")


def _above_others(contents: Mapping[ProjectPath, bytes | None]) -> dict[ProjectPath, str]:
    """Those files that are folders to others of the same lot, so that both can't be."""
    folders = {
        above
        for path, content in contents.items()
        if content is not None
        for above in map(str, PurePosixPath(path).parents)
    }
    return {
        path: _PUT_REASONS["EISDIR"]
        for path, content in contents.items()
        if content is not None and path in folders
    }


def _batches(
    contents: Mapping[ProjectPath, bytes | None],
) -> Iterator[Mapping[ProjectPath, bytes | None]]:
    batch: dict[ProjectPath, bytes | None] = {}
    size = 0
    for path, content in contents.items():
        size += len(content or b"")
        if batch and size > MAX_BATCH_BYTES:
            yield batch
            batch, size = {}, len(content or b"")
        batch[path] = content
    if batch:
        yield batch


def _packed(batch: Mapping[ProjectPath, bytes | None]) -> bytes:
    gone = "".join(f"{path}\0" for path, content in batch.items() if content is None)
    files = {f"put/{path}": content for path, content in batch.items() if content is not None}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in {"gone": gone.encode(), **files}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
