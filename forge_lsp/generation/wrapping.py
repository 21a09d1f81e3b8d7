"""Code fences that a model puts around the body of a file, where none belong."""

import re

from forge_lsp.paths import ProjectPath

_OPENING = re.compile(r"`{3,}[^`\n]*")
_CLOSING = re.compile(r"`{3,}[ \t\r]*")
_HEAD = re.compile(r"(?:[ \t\r]*\n)*(`{3,}[^`\n]*)\n")

_MARKDOWN = frozenset({".md", ".mdx", ".markdown"})
_CODE = re.compile(r"\.(?:[cm]?[jt]sx?|css|scss|less|json|html|svg|vue|svelte)")
"""Where a fence alone on the first or the last line can't be meant, even without its other half."""


def opens_fence(line: str) -> bool:
    """Whether `line`, without its line end, begins a code block (or ends one)."""
    return bool(_OPENING.fullmatch(line))


def closes_fence(line: str) -> bool:
    """Whether `line`, without its line end, may end a code block."""
    return bool(_CLOSING.fullmatch(line))


def may_hold_fences(path: ProjectPath) -> bool:
    """Whether code blocks are at home in the file."""
    return path.suffix in _MARKDOWN


def wraps(path: ProjectPath, first_line: str) -> bool:
    """Whether a body that begins with `first_line` seems to stand in a fence."""
    if may_hold_fences(path):
        # A README may well begin with a code block, though hardly with one of Markdown.
        return first_line.strip("` \t\r") in ("md", "mdx", "markdown") and opens_fence(first_line)
    return opens_fence(first_line)


def unwrapped(path: ProjectPath, body: str) -> str:
    """`body` without the fence around it, if there is one."""
    head = _HEAD.match(body)
    start = head.end() if head and wraps(path, head[1]) else 0
    stripped = body.rstrip()
    end = stripped.rfind("\n") + 1
    if not _CLOSING.fullmatch(stripped, end):
        end = len(body)
    if _CODE.fullmatch(path.suffix) or (start and end < len(body)):
        return body[start : max(start, end)]
    return body
