"""The command `forge-lsp`."""

import sys

FAILED = 1


def main() -> None:
    """Run the command line and leave with its exit code.

    0: well; 1: a failure, which was explained on stderr; 2: wrong usage; 130: interrupted.
    """
    from forge_lsp.errors import ForgeError

    try:
        if sys.argv[1:] in (["lsp"], ["lsp", "--stdio"]):
            _serve_an_editor()
        else:
            from forge_lsp.cli.commands import app

            app(prog_name="forge-lsp")
    except ForgeError as error:
        sys.stderr.write(f"forge-lsp: {error.for_people()}\n")
        sys.exit(FAILED)


def _serve_an_editor() -> None:
    """The way that editors come, on which nothing is imported that they would wait for."""
    from forge_lsp.cli.language_server import over_stdio
    from forge_lsp.cli.logs import start_logging

    start_logging()
    sys.exit(over_stdio(None))


if __name__ == "__main__":
    main()
