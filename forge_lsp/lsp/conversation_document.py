"""A conversation as a Markdown document that people read."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from forge_lsp.generation.delimiters import fenced
from forge_lsp.lsp.plain import plain
from forge_lsp.ports.conversations import ConversationRecord
from forge_lsp.ports.projects import ChangedFile, ProjectMessage
from forge_lsp.ports.store import RunRecord

MOST_TITLE_CHARACTERS = 120
MOST_TEXT_CHARACTERS = 20_000
"""Of one prompt or answer."""
MOST_FILES = 200
"""Of one answer."""
NO_TITLE = "A conversation without a prompt yet"

_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&$:@=^\"'])")
"""What Markdown, or what is built on it, takes for more than itself."""
_TICKS = re.compile(r"`+")


def conversation_document(
    conversation: ConversationRecord,
    messages: Sequence[ProjectMessage],
    runs: Mapping[str, RunRecord],
    *,
    is_cut: bool,
) -> str:
    """The conversation, the oldest of `messages` first; `runs` are those that are known, by id.
    `is_cut` says that there were messages before these.

    What anybody wrote stands between fences of tildes that it can't end, and everything else of
    theirs is escaped, so no heading, link, picture or tag in it is one of the document's.
    """
    title = _inline(conversation.title or NO_TITLE)
    begun = f"Begun {_when(conversation.created_at)}. Its id is {_code(conversation.id)}."
    parts = [f"# {title}", begun, *(["Earlier messages aren't shown."] if is_cut else [])]
    number = 0
    for message in messages:
        run = runs.get(message.run_id or "")
        if message.role == "user":
            number += 1
            parts += [f"## {number}. {_when(message.created_at)}", _text(message.text)]
        else:
            parts += [_outcome(message, run), _text(message.text)]
            parts += [_files(message.changed)] if message.changed else []
    return "\n\n".join(parts) + "\n"


def _outcome(message: ProjectMessage, run: RunRecord | None) -> str:
    told = "failed" if message.type == "ERROR" else "answered"
    if run is None:
        return f"**{told}**"
    parts = [f"**{run.outcome or 'under way'}**"]
    if run.ended_at is not None:
        parts.append(f"after {(run.ended_at - run.started_at) / 1000:,.1f} s")
    parts.append(f"{run.input_tokens + run.output_tokens:,} tokens")
    parts.append("cost unknown" if run.cost_usd is None else f"${run.cost_usd:.4f}")
    return " · ".join([*parts, _code(run.id)])


def _files(changed: Sequence[ChangedFile]) -> str:
    lines = [f"- {_code(each.path)} +{each.added} -{each.removed}" for each in changed[:MOST_FILES]]
    more = len(changed) - MOST_FILES
    return "\n".join(lines + ([f"- {more} more"] if more > 0 else []))


def _text(text: str) -> str:
    return fenced(plain(text.strip("\r\n"), MOST_TEXT_CHARACTERS).replace("\r", ""), "text")


def _inline(text: str) -> str:
    line = " ".join(plain(text, MOST_TITLE_CHARACTERS).split())
    return _MEANS_SOMETHING.sub(r"\\\1", line)


def _code(text: str) -> str:
    """A span of code, whatever is in it."""
    line = " ".join(plain(text, MOST_TITLE_CHARACTERS * 10).split())
    ticks = "`" * (max((len(run) for run in _TICKS.findall(line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _when(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
