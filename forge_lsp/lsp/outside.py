"""Watches workspace folders for editors that don't: what changes on disk by other programs."""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from forge_lsp.lsp.client import Client
from forge_lsp.lsp.listing import Listing, list_folder
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath, is_allowed

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

log = logging.getLogger(__name__)

STEP_MS = 25
"""Changes are told once there was none for so long."""
MOST_MS = 100
"""They are told after so long at the latest; who hears of them puts the pieces together."""
LOOK_MS = 5_000
MOST_FOLDERS = 5_000
"""Each takes one of the watches of which the system gives a user a bounded number."""

OnChange = Callable[[EditorWorkspace, Collection[ProjectPath]], None]


class FolderTooLarge(Exception):
    """It has more folders, or files, than are watched."""


class Outside:
    """The folders that are watched, each by a thread, until they or the server are left."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._watched: dict[str, FolderWatch] = {}
        """By the URI of the folder."""
        self._listeners: list[OnChange] = []

    def on_change(self, listener: OnChange) -> None:
        """Have `listener` called with the paths in a workspace that may have changed."""
        self._listeners.append(listener)

    def watch(self, workspace: EditorWorkspace) -> None:
        """Watch it from now on, unless the editor does, or it is watched already."""
        if self._client.registers_watched_files or workspace.uri in self._watched:
            return

        def tell(paths: Collection[ProjectPath]) -> None:
            for listener in self._listeners:
                listener(workspace, paths)

        watch = FolderWatch(workspace.root, tell, lambda why: self._give_up(workspace, why))
        self._watched[workspace.uri] = watch
        watch.start()

    async def leave(self, uris: Collection[str]) -> None:
        """Stop watching these folders."""
        left = [self._watched.pop(uri.rstrip("/"), None) for uri in uris]
        await asyncio.gather(*(each.close() for each in left if each))

    async def close(self) -> None:
        """Stop watching."""
        await self.leave(list(self._watched))

    def _give_up(self, workspace: EditorWorkspace, why: str) -> None:
        log.warning("a folder is not watched: %s", why)
        told = (
            f"What other programs change in {workspace.root.name} is not seen: {why}. Hide what is"
            " large in .gitignore, or raise fs.inotify.max_user_watches, and restart forge-lsp;"
            " until then save such files in the editor."
        )
        self._client.show(told, types.MessageType.Warning)


class FolderWatch:
    """One folder, watched without what its .gitignore files hide."""

    def __init__(
        self,
        root: Path,
        tell: Callable[[Collection[ProjectPath]], None],
        give_up: Callable[[str], None],
    ) -> None:
        """Both are called in the loop that this is made in."""
        self._root = root.resolve()
        self._tell = tell
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._attend, name=f"watch {root}", daemon=True)
        self.begun = asyncio.Event()
        """From now on nothing is missed."""

    def start(self) -> None:
        """Begin, in the background."""
        self._thread.start()

    async def close(self) -> None:
        """Stop; takes a few hundredths of a second."""
        self._stop.set()
        while self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, 1.0)

    def _attend(self) -> None:
        try:
            self._watch()
        except FolderTooLarge as error:
            self._in_loop(self._give_up, str(error))
        except (OSError, RuntimeError) as error:
            self._in_loop(self._give_up, f"the system won't watch it ({_first_line(error)})")

    def _watch(self) -> None:
        listing, notify = self._begin()
        try:
            self._in_loop(self.begun.set)
            while not self._stop.is_set():
                if not self._pass_on(notify, listing, MOST_MS, STEP_MS, LOOK_MS):
                    continue
                # The new watch begins before the old one ends, so that nothing falls between.
                before, ending = listing, notify
                listing, notify = self._begin()
                self._pass_on(ending, before, 1, 1, 1)
                ending.close()
                # What came into new folders before they were watched.
                came = {*listing.folders}.difference(before.folders)
                self._in_loop(self._tell, [ProjectPath.parse(each) for each in sorted(came)])
        finally:
            notify.close()

    def _begin(self) -> "tuple[Listing, RustNotify]":
        # Costs nothing to those whose editors watch.
        from watchfiles._rust_notify import RustNotify

        while True:
            listing = list_folder(self._root)
            places = [str(self._root / folder) for folder in ["", *listing.folders]]
            if not listing.is_whole or len(places) > MOST_FOLDERS:
                told = f"it holds more than {MOST_FOLDERS:,} folders, or too many files"
                raise FolderTooLarge(told)
            try:
                return listing, RustNotify(
                    [place for place in places if Path(place).is_dir()],
                    debug=False,
                    force_polling=False,
                    poll_delay_ms=0,
                    recursive=False,
                    ignore_permission_denied=True,
                )
            except FileNotFoundError:
                # One of them has gone since they were listed.
                if self._stop.is_set():
                    raise

    def _pass_on(
        self, notify: "RustNotify", listing: Listing, most_ms: int, step_ms: int, look_ms: int
    ) -> bool:
        """Tell of what changes next; whether other folders are to be watched from then on."""
        found = notify.watch(most_ms, step_ms, look_ms, self._stop)
        if isinstance(found, str):
            return False
        names = {Path(place).relative_to(self._root).as_posix() for _, place in found}
        shown = [
            name for name in sorted(names) if is_allowed(name) and not listing.rules.hide(name)
        ]
        if shown:
            self._in_loop(self._tell, [ProjectPath.parse(name) for name in shown])
        return any(self._asks_for_others(name, listing.folders) for name in shown)

    def _asks_for_others(self, name: str, known: Collection[str]) -> bool:
        place = self._root / name
        is_folder = place.is_dir() and not place.is_symlink()
        return is_folder != (name in known) or name.rpartition("/")[2] == ".gitignore"

    def _in_loop(self, call: Callable[..., None], *given: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *given)
        except RuntimeError:
            # The loop has ended, and with it whoever wanted to know.
            self._stop.set()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason"])[0]
