"""Insights as the editor marks them: hints, each on its line for as long as that line is there."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lsprotocol import types
from pygls.workspace import PositionCodec

from forge_lsp import events
from forge_lsp.changes.lines import matching_blocks
from forge_lsp.lsp.client import Client
from forge_lsp.lsp.diagnostics import MOST_CODE_CHARACTERS, MOST_MESSAGE_CHARACTERS, SOURCE
from forge_lsp.lsp.documents import Changes, lines_of_document
from forge_lsp.lsp.edits import text_of
from forge_lsp.lsp.plain import plain
from forge_lsp.lsp.tasks import Tasks
from forge_lsp.lsp.workspace import EditorWorkspace
from forge_lsp.paths import ProjectPath

OWNER = "insights"
MOST_KEPT = 1_000
"""The oldest go when there are more."""
SETTLE_S = 0.2
"""Before a look: somebody who types changes a file many times."""
LOOK_EVERY_S = 10.0
"""Files that aren't open change without a word."""


@dataclass(frozen=True, slots=True)
class PlacedInsight:
    """An insight with a place, and the text that its line is counted in."""

    alias: str
    """Of the skill that found it."""
    workspace: EditorWorkspace
    path: ProjectPath
    line: int
    insight: events.Insight
    text: str

    @property
    def uri(self) -> str:
        """Of its file."""
        return self.workspace.uri_of(self.path)


class Insights:
    """Those of all skills that ran in this editor."""

    def __init__(self, client: Client, changes: Changes, tasks: Tasks) -> None:
        self._client = client
        self._changes = changes
        self._tasks = tasks
        self._kept: Sequence[PlacedInsight] = ()
        self._shown: dict[str, Sequence[types.Diagnostic]] = {}
        self._turn = asyncio.Lock()
        self._is_watching = False

    async def forget(self, workspace: EditorWorkspace, alias: str) -> None:
        """Take away what a skill has marked in a workspace: it runs again."""
        async with self._turn:
            mine = [
                each
                for each in self._kept
                if (each.workspace.project, each.alias) == (workspace.project, alias)
            ]
            self._kept = [each for each in self._kept if each not in mine]
            await self._show({each.uri for each in mine})

    async def add(self, found: PlacedInsight) -> None:
        """Mark it."""
        async with self._turn:
            dropped = self._kept[: -MOST_KEPT + 1]
            self._kept = [*self._kept[-MOST_KEPT + 1 :], found]
            await self._show({found.uri, *(each.uri for each in dropped)})
        if not self._is_watching:
            self._is_watching = True
            self._tasks.start(self._watch(), "watch the files with insights")

    async def _watch(self) -> None:
        try:
            while self._kept:
                await self._changes.next(LOOK_EVERY_S)
                await asyncio.sleep(SETTLE_S)
                async with self._turn:
                    await self._show({each.uri for each in self._kept})
        finally:
            self._is_watching = False

    async def _show(self, uris: Collection[str]) -> None:
        """Bring the marks of files up to date; an insight whose line has changed is gone for
        good."""
        for uri in uris:
            mine = [each for each in self._kept if each.uri == uri]
            here = await _marks(mine)
            left = [insight for insight, _ in here]
            self._kept = [each for each in self._kept if each.uri != uri or each in left]
            shown = [mark for _, mark in here]
            if shown != self._shown.pop(uri, []):
                self._client.publish(uri, shown, OWNER)
            if shown:
                self._shown[uri] = shown


async def _marks(
    insights: Sequence[PlacedInsight],
) -> Sequence[tuple[PlacedInsight, types.Diagnostic]]:
    """Those of one file that are still there."""
    if not insights:
        return ()
    workspace, path = insights[0].workspace, insights[0].path
    text = text_of(await workspace.read(path) or b"") or ""
    codec = workspace.documents.position_codec
    return await asyncio.to_thread(_marks_in, text, insights, codec)


def _marks_in(
    text: str, insights: Sequence[PlacedInsight], codec: PositionCodec
) -> Sequence[tuple[PlacedInsight, types.Diagnostic]]:
    lines = _lines(text)
    rows = {seen: _rows(_lines(seen), lines) for seen in {each.text for each in insights}}
    return [
        (each, _mark(each.insight, row, lines[row], codec))
        for each in insights
        if (row := rows[each.text].get(each.line - 1)) is not None
    ]


def _rows(before: Sequence[str], after: Sequence[str]) -> Mapping[int, int]:
    """Where each line of `before` that is still there is in `after`; 0-based."""
    if before == after:
        return {row: row for row in range(len(after))}
    blocks = matching_blocks([line.encode() for line in before], [line.encode() for line in after])
    return {
        block.before + index: block.after + index for block in blocks for index in range(block.size)
    }


def _mark(insight: events.Insight, row: int, line: str, codec: PositionCodec) -> types.Diagnostic:
    indent = len(line) - len(line.lstrip())
    told = insight.label
    if insight.detail not in ("", insight.label):
        told = f"{insight.label}\n{insight.detail}"
    return types.Diagnostic(
        range=types.Range(
            types.Position(row, codec.client_num_units(line[:indent])),
            types.Position(row, codec.client_num_units(line)),
        ),
        message=plain(told, MOST_MESSAGE_CHARACTERS),
        severity=types.DiagnosticSeverity.Hint,
        code=plain(insight.kind, MOST_CODE_CHARACTERS) or None,
        source=SOURCE,
    )


def _lines(text: str) -> Sequence[str]:
    """Without their ends, and with lone surrogates marked."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return [line.rstrip("\r\n") for line in lines_of_document(whole)]
