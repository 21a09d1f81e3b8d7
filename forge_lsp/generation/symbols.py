"""Where a file can be cut without cutting through a function, a class or a rule."""

import re
from typing import TYPE_CHECKING

from forge_lsp.generation.lines import lines_of
from forge_lsp.paths import ProjectPath

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPESCRIPT = frozenset({".ts", ".mts", ".cts"})
_TSX = frozenset({".tsx", ".jsx", ".js", ".mjs", ".cjs"})

_SEQUENCES = frozenset(
    {"program", "statement_block", "class_body", "interface_body", "object", "array"}
)
"""Nodes of the grammar between whose children a reader would cut."""

_TOP_LEVEL_START = re.compile(r"[^\s})\]]")


def last_boundary(path: ProjectPath, text: str, limit: int) -> int:
    """How many lines to keep, at most `limit`, so that the cut falls between two symbols.

    Between two at the top; inside of the one at the limit, between two of its own, where less
    than half of what there is room for would be kept. Without any symbol, the limit itself.
    """
    if path.suffix in _TYPESCRIPT | _TSX:
        return _boundary_in_tree(path, text, limit) or limit
    lines = lines_of(text)
    for kept in range(limit, 0, -1):
        if kept < len(lines) and _TOP_LEVEL_START.match(lines[kept]):
            return kept
    return limit


def _boundary_in_tree(path: ProjectPath, text: str, limit: int) -> int:
    # Parsing is for large files only, and most runs have none.
    import tree_sitter_typescript
    from tree_sitter import Language, Parser

    typescript = path.suffix in _TYPESCRIPT
    grammar = (
        tree_sitter_typescript.language_typescript()
        if typescript
        else tree_sitter_typescript.language_tsx()
    )
    tree = Parser(Language(grammar)).parse(text.encode("utf-8", "replace"))
    best = 0
    node: Node | None = tree.root_node
    while node is not None and best * 2 < limit:
        crossing: Node | None = None
        for child in node.named_children:
            end = child.end_point.row + 1
            if end > limit:
                crossing = child
                break
            if node.type in _SEQUENCES:
                best = end
        node = crossing
    return best
