"""The form of the demo model's replies."""

from collections.abc import Sequence

from forge_lsp.claude.demo.catalogue import Replacement

CANNED = "This is the demo model: its answers are prepared, not thought of."
END = "<done/>\n"


def prose(text: str) -> str:
    """A reply without files."""
    return f"{CANNED} {text}\n{END}"


def as_file(path: str, text: str) -> str:
    """A file, whole."""
    return f'<file path="{path}">\n{text}</file>\n'


def as_edit(path: str, replacements: Sequence[Replacement]) -> str:
    """An edit of a file."""
    blocks = "\n".join(
        f"<<<<<<< SEARCH\n{block.search}\n=======\n{block.replace}\n>>>>>>> REPLACE"
        for block in replacements
    )
    return f'<edit path="{path}">\n{blocks}\n</edit>\n'
