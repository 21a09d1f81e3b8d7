"""The built-in skills, one Markdown file each; `generation.skills` says what stands in it."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

_SUFFIX = ".md"


@cache
def texts() -> Mapping[str, str]:
    """The text of every file, by its alias, sorted; reads the files once."""
    places = sorted(resources.files(__name__).iterdir(), key=lambda place: place.name)
    return {
        place.name.removesuffix(_SUFFIX): place.read_text(encoding="utf-8")
        for place in places
        if place.name.endswith(_SUFFIX)
    }
