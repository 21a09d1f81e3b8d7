"""Lines that stand for code which a model left out: `// ... rest of the code stays the same`.

Such a line is a comment in a small vocabulary. It is judged by its words and not by one large
pattern, so that hostile lines cost no more than others.
"""

import re

from forge_lsp.generation.lines import lines_of

_MAX_LINE = 200
"""Whoever leaves code out says so briefly; longer lines aren't looked at."""

_COMMENT = re.compile(r"(?://+|/\*+|\{\s*/\*+|<!--+|#+|\*)(.*)")
_COMMENT_ENDS = "*/->} "
_WORD = re.compile(r"[a-z]+|\.{3}|…")
_PUNCTUATION = frozenset(" .,:;()[]'-")

_DOTS = frozenset({"...", "…"})
_REST = frozenset({"rest", "remainder", "existing"})
_OTHER = frozenset({"previous", "remaining", "original", "other", "everything", "else", "more"})
_UNTOUCHED = frozenset({"unchanged", "untouched", "omitted"})
_STAYS = _UNTOUCHED | {"same", "here"}
_THINGS = frozenset(
    {
        *("code", "file", "component", "components", "app", "function", "functions", "module"),
        *("class", "style", "styles", "css", "rules", "import", "imports", "export", "exports"),
        *("jsx", "html", "markup", "page", "content", "contents", "implementation", "logic"),
        *("body", "method", "methods", "routes", "config", "configuration", "props", "state"),
        *("handlers", "hooks", "types", "tests", "section", "sections", "changes"),
    }
)
_FILLING = frozenset(
    {
        *("the", "your", "this", "my", "our", "of", "and", "with", "all", "any", "no", "as", "it"),
        *("keep", "kept", "remain", "remains", "stay", "stays", "is", "are", "was", "goes", "go"),
        *("left", "should", "will", "continue", "continues", "be", "above", "below", "for"),
        *("brevity", "before", "from", "in", "to"),
    }
)
_KNOWN = _DOTS | _REST | _OTHER | _STAYS | _THINGS | _FILLING


def is_elision(line: str) -> bool:
    """Whether `line` is nothing but a comment (or bare dots) that stands for code left out."""
    text = line.strip()
    if text in _DOTS:
        return True
    found = _COMMENT.fullmatch(text) if len(text) <= _MAX_LINE else None
    if not found:
        return False
    said = found[1].rstrip(_COMMENT_ENDS).lower()
    words = set(_WORD.findall(said))
    if not words <= _KNOWN or not _PUNCTUATION.issuperset(_WORD.sub("", said)):
        return False
    return _says_left_out(words)


def elides_code(content: str) -> bool:
    """Whether some line of a whole file says that code stays as it was, in place of the code."""
    return any(is_elision(line) for line in lines_of(content))


def _says_left_out(words: set[str]) -> bool:
    if words & _DOTS:
        return words <= _DOTS or bool(words & (_REST | _OTHER | _STAYS | _THINGS))
    if words & _REST:
        return bool(words & (_THINGS | _STAYS))
    if words & _STAYS:
        return {"same", "as"} <= words or bool(words & (_UNTOUCHED | _OTHER | _THINGS))
    return bool(words & _OTHER) and "code" in words
