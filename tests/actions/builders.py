"""A model that takes part in builds, each of its replies by what it is asked for."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from forge_lsp.errors import ModelFailed
from forge_lsp.ports.model import (
    ModelDone,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    TextPiece,
    TokenUsage,
)

PLANNED = {
    "src/theme.ts": ("export const accent: string", ()),
    "src/Hero.tsx": ("export default function Hero(): JSX.Element", ("src/theme.ts",)),
    "src/Pricing.tsx": ("export default function Pricing(): JSX.Element", ("src/theme.ts",)),
    "src/App.tsx": (
        "export default function App(): JSX.Element",
        ("src/Hero.tsx", "src/Pricing.tsx"),
    ),
}
FILES = {
    "src/theme.ts": 'export const accent = "text-indigo-700";\n',
    "src/Hero.tsx": "export default function Hero() {\n  return <h1>Quill</h1>;\n}\n",
    "src/Pricing.tsx": "export default function Pricing() {\n  return <p>$9</p>;\n}\n",
    "src/App.tsx": "export default function App() {\n  return <main>all</main>;\n}\n",
}
_WANTED = re.compile(r"Write the file (\S+) of the plan")


def plan(files: Mapping[str, tuple[str, tuple[str, ...]]] = PLANNED) -> str:
    return json.dumps(
        {
            "summary": "A landing page.",
            "files": [
                {"path": path, "purpose": f"is {path}", "exports": [exports], "uses": list(uses)}
                for path, (exports, uses) in files.items()
            ],
            "packages": ["clsx"],
            "design": {
                "palette": [{"role": "accent", "colour": "#4338ca"}],
                "typography": "Inter",
                "layout": "one column",
                "components": [],
            },
        }
    )


@dataclass
class Builders:
    """Answers for each part of a build; whoever is named in `waits` waits for `may_go_on`."""

    planned: list[str] = field(default_factory=lambda: [plan()])
    """One reply after another; the last one from then on."""
    files: dict[str, str | ModelFailed] = field(default_factory=lambda: dict(FILES))
    reviewed: str | ModelFailed = "Looks good.\n<done/>\n"
    mended: str = "<done/>\n"
    """The answer to a repair."""
    waits: set[str] = field(default_factory=set[str])
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[ModelRequest] = field(default_factory=list[ModelRequest])
    at_once: int = 0
    most_at_once: int = 0
    alone: list[str] = field(default_factory=list[str])
    """What was asked while nothing of it had been answered yet."""
    writes_whole_files: bool = False
    cost_usd: float | None = 0.01

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("scripted", "scripted-1", "scripted-0", False, self.writes_whole_files)

    def asked_for(self, what: str) -> list[ModelRequest]:
        return [request for request in self.asked if _part(request) == what]

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append(request)
        part = _part(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if part in self.waits:
                await self.may_go_on.wait()
            reply = self._reply(part)
            if isinstance(reply, ModelFailed):
                raise reply
            for start in range(0, len(reply), 40):
                yield TextPiece(reply[start : start + 40])
                await asyncio.sleep(0)
            yield ModelDone("end", "scripted-1", TokenUsage(100, 10, 50, 0, self.cost_usd))
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        pass

    def _reply(self, part: str) -> str | ModelFailed:
        if part == "plan":
            return self.planned.pop(0) if len(self.planned) > 1 else self.planned[0]
        if part == "review":
            return self.reviewed
        if part not in self.files:
            return self.mended
        reply = self.files[part]
        if isinstance(reply, ModelFailed) or reply.startswith("<") or not reply:
            return reply
        return f'Here.\n<file path="{part}">\n{reply}</file>\n<done/>\n'


def _part(request: ModelRequest) -> str:
    """What the request is about: a step, or the file that is to be written."""
    wanted = _WANTED.match(request.messages[-1].text)
    return wanted[1] if wanted else request.purpose
