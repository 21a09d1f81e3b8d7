"""The parser of replies: total, incremental, linear.

It takes any text in any pieces, never raises, and gives the same events however the text is cut
(once adjacent `Prose` and `BodyPiece` events are joined). What a line is can only be known at its
end where it may be a tag or a fence; such a line is held back, every other one passes as it comes.
"""

from forge_lsp.errors import PathRefused
from forge_lsp.generation.blocks import BlocksRefused, parse_blocks
from forge_lsp.generation.body import OpenBody
from forge_lsp.generation.fences import fenced_files
from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.packages import is_package_spec
from forge_lsp.generation.reply import (
    BodyPiece,
    BodyStarted,
    Deletion,
    Draft,
    Dropped,
    EditBlocks,
    PackageTag,
    Prose,
    Rename,
    ReplyEnded,
    ReplyEvent,
    WholeFile,
)
from forge_lsp.generation.tags import (
    MAX_TAG_CHARACTERS,
    EmptyTag,
    OpeningTag,
    closed_content,
    closing_tag,
    empty_tags,
    may_be_tag,
    opening_tag,
)
from forge_lsp.generation.wrapping import closes_fence, opens_fence, unwrapped
from forge_lsp.paths import ProjectPath, is_allowed


class ReplyParser:
    """Reads one reply."""

    def __init__(self) -> None:
        self._events: list[ReplyEvent] = []
        self._line = ""
        """The line so far, where it may still turn out to matter."""
        self._is_text = False
        """The line so far doesn't matter and was passed on."""
        self._body: OpenBody | None = None
        self._fence = ""
        """A fence right above, left out of the prose where a tag follows."""
        self._in_fence = False
        """The last tag stood in a code block that has not ended yet."""
        self._outside: list[str] = []
        """The text outside of tags, for as long as there were none that name a file."""
        self._names_files = False
        self._has_ended = False
        self._written: set[ProjectPath] = set()

    def feed(self, text: str) -> list[ReplyEvent]:
        """Take some more of the reply; gives what is certain now."""
        if "\n" not in text:
            self._take_part(text)
        else:
            for line in lines_of(text):
                if line.endswith("\n"):
                    self._take_end(line)
                else:
                    self._take_part(line)
        return self._given()

    def finish(self) -> list[ReplyEvent]:
        """The reply has no more text; gives what was held back."""
        line, self._line, self._is_text = self._line, "", False
        if line:
            self._take_line(line)
        body, self._body = self._body, None
        if body and body.path:
            if body.ends_at_fence:
                self._close_at_fence(body.path, body)
            else:
                self._events.append(Draft(body.path, body.text, body.action))
        self._pass_fence()
        if not self._names_files:
            self._events += fenced_files("".join(self._outside))
        self._outside.clear()
        return self._given()

    def _given(self) -> list[ReplyEvent]:
        events, self._events = self._events, []
        return events

    def _take_part(self, part: str) -> None:
        if self._is_text:
            self._pass(part)
            return
        self._line += part
        if self._line and not self._may_matter(self._line):
            line, self._line, self._is_text = self._line, "", True
            self._pass(line)

    def _take_end(self, rest: str) -> None:
        if self._is_text:
            self._is_text = False
            self._pass(rest)
            return
        line, self._line = self._line + rest, ""
        self._take_line(line)

    def _may_matter(self, beginning: str) -> bool:
        if len(beginning) > MAX_TAG_CHARACTERS:
            return False
        if beginning[0] == "<":
            return may_be_tag(beginning)
        if beginning[0] == "`":
            return beginning.startswith("```") or "```".startswith(beginning)
        # Below a fence, a blank line may be the last before a closing tag.
        return bool(self._body and self._body.tail and beginning.isspace())

    def _take_line(self, line: str) -> None:
        bare = line.rstrip("\r\n")
        if len(line.removesuffix("\n")) > MAX_TAG_CHARACTERS:
            self._pass(line)
        elif self._body:
            self._take_body_line(self._body, line, bare)
        else:
            self._take_outside_line(line, bare)

    def _take_body_line(self, body: OpenBody, line: str, bare: str) -> None:
        tag = opening_tag(bare)
        if closing_tag(bare) == body.kind:
            self._close(body)
        elif tag and is_allowed(tag.path):
            self._interrupt(body)
            self._open(tag)
        else:
            self._show(body, body.take_line(line))

    def _take_outside_line(self, line: str, bare: str) -> None:
        if tag := opening_tag(bare):
            self._open(tag)
        elif tags := empty_tags(bare):
            self._enter_fence()
            for each in tags:
                self._take_empty_tag(each)
        elif opens_fence(bare):
            self._take_fence(line, bare)
        elif not closing_tag(bare):
            self._pass(line)

    def _take_fence(self, line: str, bare: str) -> None:
        if self._in_fence and closes_fence(bare):
            self._in_fence = False
            return
        self._pass_fence()
        self._fence = line

    def _pass(self, text: str) -> None:
        """Take text of which it is clear that it is neither a tag nor a fence."""
        if self._body:
            self._show(self._body, self._body.take(text))
        else:
            self._pass_fence()
            self._say(text)

    def _pass_fence(self) -> None:
        if self._fence:
            fence, self._fence = self._fence, ""
            self._say(fence)

    def _say(self, text: str) -> None:
        if not self._names_files:
            self._outside.append(text)
        self._events.append(Prose(text))

    def _show(self, body: OpenBody, text: str) -> None:
        if body.path and text:
            self._events.append(BodyPiece(body.path, text))

    def _drop(self, path: str, reason: str) -> None:
        self._names_files = True
        self._events.append(Dropped(path, reason))

    def _enter_fence(self) -> None:
        """A tag right below a fence stands in its code block, whose end is no prose either."""
        self._in_fence = self._in_fence or bool(self._fence)
        self._fence = ""

    def _open(self, tag: OpeningTag) -> None:
        self._enter_fence()
        path = self._path(tag.path)
        if path and path in self._written and tag.kind == "file":
            self._drop(path, "the reply wrote it before, and the first one counts")
            path = None
        if tag.is_empty:
            if path:
                self._drop(path, "its tag holds nothing")
            return
        self._names_files = True
        self._body = body = OpenBody(path, tag.kind, self._in_fence)
        if path:
            self._events.append(BodyStarted(path, body.action))
        content = closed_content(tag)
        if content is not None:
            self._show(body, body.take(content))
            self._close(body)
        elif tag.rest.strip():
            self._show(body, body.take_line(tag.rest + "\n"))

    def _close(self, body: OpenBody) -> None:
        """The body's closing tag has come."""
        self._body = None
        if body.ends_at_fence:
            self._in_fence = False
        if not body.path:
            return
        if body.kind == "edit":
            self._close_edit(body.path, body.text)
            return
        content = unwrapped(body.path, body.text)
        tail = "".join(body.tail)
        if content.endswith(tail):
            self._show(body, tail)
        self._written.add(body.path)
        self._events.append(WholeFile(body.path, content))

    def _close_edit(self, path: ProjectPath, text: str) -> None:
        try:
            blocks = parse_blocks(text)
        except BlocksRefused as error:
            self._drop(path, str(error))
            return
        self._written.add(path)
        self._events.append(EditBlocks(path, blocks))

    def _close_at_fence(self, path: ProjectPath, body: OpenBody) -> None:
        """The code block around the body has ended in place of a closing tag."""
        self._body = None
        self._in_fence = body.opens_fence_again
        self._written.add(path)
        self._events.append(WholeFile(path, unwrapped(path, "".join(body.parts))))

    def _interrupt(self, body: OpenBody) -> None:
        """Another file begins in the body: this one was not closed, or has lost the thread."""
        self._body = None
        if body.path and body.ends_at_fence:
            self._close_at_fence(body.path, body)
        elif body.path:
            self._drop(body.path, "another file begins before it is closed")

    def _path(self, text: str) -> ProjectPath | None:
        if not text:
            self._drop("", "a tag doesn't say which file it is for")
            return None
        try:
            return ProjectPath.parse(text)
        except PathRefused as error:
            rule = error.message.rpartition(": ")[2].rstrip(".")
            self._drop(text, f"its path is refused: {rule}")
            return None

    def _take_empty_tag(self, tag: EmptyTag) -> None:
        match tag.kind:
            case "delete":
                if path := self._path(tag.attributes.get("path", "")):
                    self._names_files = True
                    self._events.append(Deletion(path))
            case "rename":
                self._rename(tag.attributes)
            case "package":
                name = tag.attributes.get("name", "")
                if is_package_spec(name):
                    self._events.append(PackageTag(name))
                else:
                    self._events.append(Dropped("", f"npm has no package named {name[:80]!a}"))
            case "done":
                if not self._has_ended:
                    self._has_ended = True
                    self._events.append(ReplyEnded())

    def _rename(self, attributes: dict[str, str]) -> None:
        old = self._path(attributes.get("from", ""))
        new = self._path(attributes.get("to", ""))
        if old and new:
            self._names_files = True
            self._events.append(Rename(old, new))
