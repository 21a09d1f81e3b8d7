"""One reply of the model as it comes, joined over its continuations."""

from forge_lsp.generation import reply
from forge_lsp.generation.continuation import Joint
from forge_lsp.generation.parser import ReplyParser
from forge_lsp.ports.model import Message


class Transcript:
    """Feeds a parser, and knows what a continuation needs."""

    def __init__(self) -> None:
        self.length = 0
        """In characters, over all continuations."""
        self.has_ended = False
        """The reply said that it is complete."""
        self._pieces: list[str] = []
        self._parser = ReplyParser()
        self._joint: Joint | None = None

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self._pieces)

    def as_message(self) -> Message:
        """The reply so far as the model's own turn."""
        return Message("assistant", self.text or "(nothing)")

    def expect_continuation(self) -> None:
        """What is fed from now on takes up what was said last."""
        self._joint = Joint(self.text)

    def feed(self, text: str) -> list[reply.ReplyEvent]:
        """What another piece of text completes."""
        if self._joint is None:
            return self._parse(text)
        return self._parse_joined(self._joint, self._joint.feed(text))

    def finish(self) -> list[reply.ReplyEvent]:
        """What is left when nothing more comes; what is open then is a draft."""
        parsed: list[reply.ReplyEvent] = []
        if self._joint is not None:
            parsed += self._parse_joined(self._joint, self._joint.finish())
        return parsed + self._parser.finish()

    def _parse_joined(self, joint: Joint, text: str) -> list[reply.ReplyEvent]:
        """Parse a continuation's text, of which the joint holds the start back for a while."""
        if not text:
            return []
        self._joint = None
        if joint.found_overlap:
            return self._parse(text)
        # The model began anew instead of going on, so what it had open is lost.
        lost = self._parser.finish()
        self._parser = ReplyParser()
        return lost + self._parse(text)

    def _parse(self, text: str) -> list[reply.ReplyEvent]:
        self._pieces.append(text)
        self.length += len(text)
        parsed = self._parser.feed(text)
        self.has_ended |= any(isinstance(event, reply.ReplyEnded) for event in parsed)
        return parsed
