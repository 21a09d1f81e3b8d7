"""The editor's part of the settings, from the three ways in which editors send it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pygls.uris import to_fs_path

from forge_lsp.lsp.client import Client

if TYPE_CHECKING:
    from forge_lsp.settings import Places, Settings

Layer = Mapping[str, Any]


class Configuration:
    """Remembers what was sent, asks for the rest when settings are needed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._initial: Layer = {}
        self._pushed: Layer = {}
        self._used: Layer | None = None

    def start_with(self, options: object) -> None:
        """Take the initializationOptions."""
        fields = _mapping(options)
        self._initial = {**fields, **_mapping(fields.get("forge"))}

    @property
    def wants_events(self) -> bool:
        """The client wants every event of its runs, not only their progress."""
        return self._initial.get("events") is True

    @property
    def shows_reviews(self) -> bool:
        """The client shows by itself what waits for review, so that no message need say it."""
        return self._initial.get("showsReviews") is True

    def push(self, settings: object) -> None:
        """Take what came by didChangeConfiguration; null means that one is to ask again."""
        fields = _mapping(settings)
        self._pushed = _mapping(fields.get("forge")) or fields

    async def load(self, folder: str | None) -> "tuple[Settings, Places, Sequence[str]]":
        """The settings of a folder, from all sources; raises `InvalidRequest` for a wrong one."""
        self._used = await self._merged(folder)
        return await asyncio.to_thread(_load, folder, self._used)

    async def load_for_http(self, folder: str | None) -> "tuple[Settings, Places]":
        """The same for the HTTP API, which asks no model: without the key in the keyring, which
        is slow to ask. What it takes over doesn't count as in use."""
        merged = await self._merged(folder)
        settings, places, _ = await asyncio.to_thread(_load, folder, merged, ask_keyring=False)
        return settings, places

    async def has_changed(self, folder: str | None) -> bool:
        """Whether the editor's part differs from what is in use; False before it is in use."""
        return self._used is not None and await self._merged(folder) != self._used

    async def _merged(self, folder: str | None) -> Layer:
        pulled: Layer = {}
        if self._client.has_configuration:
            pulled = await self._client.configuration(folder)
        layers: list[Layer] = [self._initial, self._pushed, pulled]
        merged: dict[str, Any] = {}
        for layer in layers:
            for name, value in layer.items():
                group = _without_null(_mapping(value))
                if group:
                    merged[name] = {**_mapping(merged.get(name)), **group}
        return merged


def _load(
    folder: str | None, editor: Layer, *, ask_keyring: bool = True
) -> "tuple[Settings, Places, Sequence[str]]":
    # What reads files is not on the way to `initialize`.
    from forge_lsp.loading import load
    from forge_lsp.settings import Places

    root = to_fs_path(folder) if folder else None
    loaded, notes = load(Path(root) if root else None, editor, ask_keyring=ask_keyring)
    return loaded, Places.find(), notes


def _mapping(value: object) -> Layer:
    return cast("Layer", value) if isinstance(value, Mapping) else {}


def _without_null(layer: Layer) -> Layer:
    """VS Code sends null for what has no default."""
    return {name: value for name, value in layer.items() if value is not None}
