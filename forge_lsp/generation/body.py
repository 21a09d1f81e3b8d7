"""The body of a file or an edit while a reply is still writing it."""

from dataclasses import dataclass, field
from typing import Literal

from forge_lsp.events import FileAction
from forge_lsp.generation.wrapping import closes_fence, may_hold_fences, opens_fence, wraps
from forge_lsp.paths import ProjectPath


@dataclass(slots=True)
class OpenBody:
    """Text that counts only once it is closed."""

    path: ProjectPath | None
    """None where nothing is taken of it: then its text is swallowed."""
    kind: Literal["file", "edit"]
    in_fence: bool
    """Its tag is the first line of a code block."""
    parts: list[str] = field(default_factory=list[str])
    tail: list[str] = field(default_factory=list[str])
    """A fence and what blank lines and fences follow it: perhaps the end of a fence around."""
    has_text: bool = False

    @property
    def action(self) -> FileAction:
        """What is done to the file."""
        return "create" if self.kind == "file" else "edit"

    @property
    def text(self) -> str:
        """All of it."""
        return "".join((*self.parts, *self.tail))

    @property
    def ends_at_fence(self) -> bool:
        """Whether the code block that it stands in has ended, as far as can be seen."""
        return bool(self.in_fence and self.tail and self.path and not may_hold_fences(self.path))

    @property
    def opens_fence_again(self) -> bool:
        """Whether the last line so far begins another code block."""
        return len(self.tail) > 1 and opens_fence(self.tail[-1].rstrip("\r\n"))

    def take_line(self, line: str) -> str:
        """Add a whole line that is no tag; gives what may be shown of the body now."""
        bare = line.rstrip("\r\n")
        if self.kind == "edit" or not self.path:
            return self.take(line)
        if not self.has_text and wraps(self.path, bare):
            self.has_text = True
            self.parts.append(line)
            return ""
        if closes_fence(bare):
            shown = self.take("")
            self.tail.append(line)
            return shown
        if self.tail and (not bare.strip() or opens_fence(bare)):
            self.tail.append(line)
            return ""
        return self.take(line)

    def take(self, text: str) -> str:
        """Add text that is neither a tag nor a fence; gives what may be shown of the body now."""
        if not self.path:
            return ""
        shown = "".join((*self.tail, text))
        self.tail.clear()
        self.parts.append(shown)
        self.has_text = self.has_text or not text.isspace()
        return shown if self.kind == "file" else ""
