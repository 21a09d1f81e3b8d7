"""The demo model's summary of a conversation: what the developer asked for, line by line."""

import re

from forge_lsp.generation.summaries import SINCE, SO_FAR

MOST_LINES = 40
MOST_LINE_CHARACTERS = 120
_HEAD = "The developer asked for:"
_RECORD = re.compile(rf"^{re.escape(SO_FAR)}\n(~{{4,}})\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
_ASKED = re.compile(r"^The developer:\n(~{4,})\n(.*?)^\1$", re.DOTALL | re.MULTILINE)


def summary(asked: str) -> str:
    """A list of the developer's requests, those of the record so far before the new ones.

    The prompt is that of `generation.summaries`, read backwards.
    """
    before, _, since = asked.partition(f"\n\n{SINCE}\n")
    record = _RECORD.match(before)
    known = [line for line in (record[2] if record else "").splitlines() if line.startswith("- ")]
    new = [f"- {_first_line(text)}" for _, text in _ASKED.findall(since) if text.strip()]
    return "\n".join([_HEAD, *[*known, *new][-MOST_LINES:]]) + "\n"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:MOST_LINE_CHARACTERS]
