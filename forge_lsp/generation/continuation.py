"""Taking up a reply that was cut off.

The model is shown the end of what it wrote and asked to begin with its last lines again: where
those are found at the beginning of the continuation, the two parts are joined; where they aren't,
nobody can say how they fit.
"""

from forge_lsp.generation.delimiters import fenced
from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.tags import opening_tag
from forge_lsp.generation.wrapping import opens_fence

QUOTED_LINES = 20
REPEATED_LINES = 3

_MAX_QUOTED_CHARACTERS = 8_000
_MIN_OVERLAP = 8
"""So many characters, blanks aside, are no coincidence; a lone `}` may well be one."""
_MAX_PREAMBLE_CHARACTERS = 500


def continuation_prompt(written: str) -> str:
    """The user's turn that asks the model to go on where `written` stops."""
    return (
        "Your reply was cut off. These are its last lines:\n\n"
        f"{fenced(_tail(written))}\n\n"
        f"Go on from exactly there. Begin by repeating the last {REPEATED_LINES} of these lines, "
        "letter by letter, and then write what comes next, in the same format. Write no "
        "introduction, no opening tag for the file that is open, and no code fence; don't start "
        "the file again. Close what is open, and end with <done/>."
    )


class Joint:
    """Swallows what a continuation repeats of the text that it continues."""

    def __init__(self, written_tail: str) -> None:
        tail = _tail(written_tail)
        lines = lines_of(tail)
        self._endings = ["".join(lines[index:]).lstrip() for index in range(len(lines))]
        """Every ending of the tail that begins with a line, the longest first."""
        self._limit = len(tail) + _MAX_PREAMBLE_CHARACTERS
        self._pending = ""
        self._is_decided = False
        self._found_overlap = False

    @property
    def found_overlap(self) -> bool:
        """Whether the continuation repeats the end of what was written; False until known."""
        return self._found_overlap

    def feed(self, text: str) -> str:
        """Take some more of the continuation; gives what is to stand behind the text so far.

        Without an overlap that is all of it, and what it makes is not to be trusted.
        """
        if self._is_decided:
            return text
        self._pending += text
        return self._decide() if len(self._pending) > self._limit else self._decide_early()

    def finish(self) -> str:
        """The continuation has ended; gives what was held back."""
        return "" if self._is_decided else self._decide()

    def _decide_early(self) -> str:
        """Give what is new, if no more text could make a longer overlap."""
        beginnings = _beginnings(self._pending)
        if not all(beginnings) or any(
            len(ending) > len(beginning) and ending.startswith(beginning)
            for ending in self._endings
            for beginning in beginnings
        ):
            return ""
        is_known = "\n" in beginnings[-1] or any(map(self._overlap, beginnings))
        return self._decide() if is_known else ""

    def _decide(self) -> str:
        self._is_decided = True
        new = self._pending
        for beginning in _beginnings(self._pending):
            if overlap := self._overlap(beginning):
                self._found_overlap = True
                new = beginning[overlap:]
                break
        self._pending = ""
        return new

    def _overlap(self, beginning: str) -> int:
        """How many characters of `beginning` repeat the end of the tail."""
        for index, ending in enumerate(self._endings):
            is_certain = index == 0 or len("".join(ending.split())) >= _MIN_OVERLAP
            if ending and is_certain and beginning.startswith(ending):
                return len(ending)
        return 0


def _tail(written: str) -> str:
    return "".join(lines_of(written[-_MAX_QUOTED_CHARACTERS:])[-QUOTED_LINES:])


def _beginnings(text: str) -> list[str]:
    """Where `text` may really begin: behind blanks, a code fence, an opening tag.

    The indent of the first line goes with the blanks: models seldom begin with a space.
    """
    beginnings = [text.lstrip()]
    for is_preamble in (opens_fence, opening_tag):
        line, _, below = beginnings[-1].partition("\n")
        if is_preamble(line):
            beginnings.append(below.lstrip())
    return beginnings
