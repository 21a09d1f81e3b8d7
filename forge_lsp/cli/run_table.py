"""The recent runs as a table."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from forge_lsp.cli.terminal import printable
from forge_lsp.ports.store import RunRecord

MAX_TITLE = 60


def run_table(runs: Sequence[RunRecord]) -> Table:
    """A row for each run, in the order given."""
    table = Table()
    table.add_column("when", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("title")
    table.add_column("outcome", no_wrap=True)
    table.add_column("tokens in / out", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    for run in runs:
        table.add_row(
            datetime.fromtimestamp(run.started_at / 1000).astimezone().strftime("%Y-%m-%d %H:%M"),
            run.kind,
            _title(run),
            run.outcome or "under way",
            f"{run.input_tokens:,} / {run.output_tokens:,}",
            "" if run.cost_usd is None else f"${run.cost_usd:.4f}",
        )
    return table


def _title(run: RunRecord) -> str:
    title = printable(run.title)
    return title if len(title) <= MAX_TITLE else f"{title[: MAX_TITLE - 1]}…"
