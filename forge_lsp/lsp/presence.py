"""Tells other programs of this machine's owner which servers run, and where they answer."""

import json
import os
from collections.abc import Sequence
from pathlib import Path


def announce(state: Path, url: str, folders: Sequence[str]) -> Path:
    """Write `<state>/servers/<pid>.json`, readable by its owner only; gives its place."""
    place = state / "servers" / f"{os.getpid()}.json"
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = place.with_suffix(".new")
    content = json.dumps({"pid": os.getpid(), "url": url, "folders": list(folders)})
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    aside.rename(place)
    return place
