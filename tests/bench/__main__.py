"""Prints how fast things are beside their floors and peers: `python -m tests.bench [row ...]`."""

import argparse
import asyncio

from . import (
    actions,
    add_package,
    agents,
    clients,
    delay,
    edit_tokens,
    harness,
    history,
    journal_events,
    memory,
    parser,
    replay,
    sandbox,
    start,
    write,
)

ROWS = {
    row.name: row
    for row in (
        start.ROW,
        memory.ROW,
        actions.ROW,
        delay.ROW,
        journal_events.ROW,
        clients.ROW,
        parser.ROW,
        sandbox.ROW,
        write.ROW,
        add_package.ROW,
        replay.ROW,
        history.ROW,
        edit_tokens.ROW,
        agents.ROW,
    )
}


def main() -> None:
    """Measure the rows that were named, or all. A missed bar is printed, and is no failure."""
    takes = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    takes.add_argument("rows", nargs="*", metavar="row", help=f"of {', '.join(ROWS)}; or all")
    takes.add_argument("--rounds", type=_count, default=5, help="how often each side is measured")
    takes.add_argument("--json", action="store_true", help="print JSON, with every measurement")
    takes.add_argument("--full", action="store_true", help="a history of 5 million events")
    given = takes.parse_args()
    unknown = [name for name in given.rows if name not in ROWS]
    if unknown:
        takes.error(f"there is no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    rows = ROWS | ({history.ROW.name: history.FULL_ROW} if given.full else {})
    chosen = [rows[name] for name in given.rows or rows]
    lines = asyncio.run(harness.measure(chosen, given.rounds))
    if given.json:
        harness.print_json(lines)
    else:
        harness.print_table(lines)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least one round is needed")
    return count


if __name__ == "__main__":
    main()
