"""Changes of a sandbox's files, at a pace that its dev server can follow."""

import asyncio
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from forge_lsp.errors import ForgeError
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox import files

PACE_S = 0.1
"""Between two changes of one file. Vite's watcher (chokidar) tells of a file's change once in
50 ms and forgets those in between, so that the page would go on with what the file was."""
MAX_REMEMBERED = 1_000


class Writer:
    """Writes and deletes in one sandbox's folder."""

    def __init__(self, folder: Path, owner: tuple[int, int]) -> None:
        """What is written is `owner`'s."""
        self._folder = folder
        self._owner = owner
        self._changed_at: dict[ProjectPath, float] = {}

    async def write(self, path: ProjectPath, content: bytes) -> None:
        """Put the whole file in place; raises as `files.write_file` does.

        A file that is so already isn't written: its dev server would reload the page for nothing.
        """
        if await asyncio.to_thread(self._is_so, path, content):
            return
        await self._keep_pace([path])
        await asyncio.to_thread(files.write_file, self._folder, path, content, self._owner)

    async def delete(self, path: ProjectPath) -> None:
        """Take a file away; raises as `files.delete_file` does."""
        await self._keep_pace([path])
        await asyncio.to_thread(files.delete_file, self._folder, path)

    async def put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        """Put many files in place, and take away those that are None; gives those that could not
        be, and why, for people. Files that are so already aren't written."""
        changed = await asyncio.to_thread(self._changed, dict(contents))
        if not changed:
            return {}
        await self._keep_pace(changed)
        return await asyncio.to_thread(self._put, changed)

    def _changed(
        self, contents: Mapping[ProjectPath, bytes | None]
    ) -> Mapping[ProjectPath, bytes | None]:
        return {
            path: content
            for path, content in contents.items()
            if content is None or not self._is_so(path, content)
        }

    def _is_so(self, path: ProjectPath, content: bytes) -> bool:
        try:
            return files.read_file(self._folder, path, len(content)) == content
        except ForgeError:
            return False

    def _put(self, contents: Mapping[ProjectPath, bytes | None]) -> Mapping[ProjectPath, str]:
        refused: dict[ProjectPath, str] = {}
        for path, content in contents.items():
            try:
                if content is None:
                    files.delete_file(self._folder, path)
                else:
                    files.write_file(self._folder, path, content, self._owner)
            except ForgeError as error:
                refused[path] = error.message
        return refused

    async def _keep_pace(self, paths: Collection[ProjectPath]) -> None:
        now = time.monotonic()
        last = max((self._changed_at.get(path, now - PACE_S) for path in paths), default=now)
        turn = max(last + PACE_S, now)
        for path in paths:
            # Whoever is next waits for this change, also while it waits for the one before.
            self._changed_at.pop(path, None)
            self._changed_at[path] = turn
        while len(self._changed_at) > MAX_REMEMBERED:
            del self._changed_at[next(iter(self._changed_at))]
        if turn > now:
            await asyncio.sleep(turn - now)
