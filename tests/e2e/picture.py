"""Makes the picture of README.md from a real run: `python tests/e2e/picture.py`."""

import asyncio
import re
from pathlib import Path

from rich.console import Console

from forge_lsp.cli.demo import tour

PICTURE = Path(__file__).parent / "pictures" / "demo.svg"
FONT_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


async def main() -> None:
    console = Console(record=True, width=110, highlight=False, markup=False)
    await tour.give(console, "forge.generate", tour.PROMPT, keep=False, once=True)
    save(console, "forge-lsp demo --once", PICTURE)


def save(console: Console, title: str, place: Path) -> None:
    """Write what the console recorded into an SVG, which asks nothing of anybody."""
    drawn = console.export_svg(title=title, unique_id=place.stem)
    place.parent.mkdir(exist_ok=True)
    place.write_text(FONT_FROM_ELSEWHERE.sub("", drawn), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
