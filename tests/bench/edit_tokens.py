"""What the model must write for a small change in a long file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from forge_lsp.claude.demo.answer import answer
from forge_lsp.claude.demo.asked import Asked
from forge_lsp.claude.demo.catalogue import apps

from .harness import Measurement, Pair, Row, at_most

LINES = 300
BYTES_A_TOKEN = 4
PROMPT = "use a green accent on the landing page"


@asynccontextmanager
async def _open(scratch: Path) -> AsyncGenerator[Pair]:
    del scratch

    async def ours() -> Measurement:
        return _tokens(takes_edits=True)

    async def floor() -> Measurement:
        return _tokens(takes_edits=False)

    yield Pair(ours, floor)


def _tokens(*, takes_edits: bool) -> Measurement:
    app = next(app for app in apps() if "landing" in app.words)
    (path,) = app.edits[0].replacements
    own = app.files[path]
    more = LINES - own.count("\n")
    text = own + "".join(f"export const price{n} = {{ monthly: {n} }};\n" for n in range(more))
    asked = Asked(
        prompt=PROMPT,
        files={path: text},
        paths=[path],
        takes_edits=takes_edits,
        mending=None,
        is_selecting=False,
        is_fixing=False,
    )
    return {"": len(answer(asked).encode()) / BYTES_A_TOKEN}


ROW = Row("edit-tokens", "the whole file", "tokens", {"": at_most(0.1)}, _open)
