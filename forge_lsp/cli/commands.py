"""The commands: their names, options and help."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import forge_lsp
from forge_lsp.cli.logs import DEFAULT_LEVEL, start_logging
from forge_lsp.cli.signals import run_to_end
from forge_lsp.cli.terminal import plain_console
from forge_lsp.cli.tokens import token_app

if TYPE_CHECKING:
    from forge_lsp.cli.doctor import Finding


class LogLevel(StrEnum):
    """How much goes into the log."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


LogLevelOption = Annotated[
    LogLevel | None, typer.Option(help="How much goes into the log.", show_default="info")
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="The log's file.",
        show_default="log/forge-lsp.log in the state folder",
    ),
]

app = typer.Typer(
    name="forge-lsp",
    help="Brings an AI app builder into any editor: describe an app or a change, watch it being "
    "written, look at it running in a sandbox, and take it into your workspace, or don't.",
    epilog="Try it without an editor and without a key: forge-lsp demo --once",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # A traceback with its local variables would show prompts, code and keys.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(token_app, name="token")
e2b_app = typer.Typer(no_args_is_help=True, help="Sandboxes in E2B's cloud.")
app.add_typer(e2b_app, name="e2b")


def _version(wanted: bool) -> None:  # noqa: FBT001  Typer calls it with the option's value.
    if wanted:
        typer.echo(f"forge-lsp {forge_lsp.__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    log_level: LogLevelOption = None,
    log_file: LogFileOption = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """What every command takes."""
    del version
    start_logging(log_level or DEFAULT_LEVEL, log_file)


@app.command(
    epilog="Examples:  forge-lsp lsp   ·   forge-lsp lsp --tcp 127.0.0.1:7998",
)
def lsp(
    *,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over stdin and stdout; this is the default.")
    ] = False,
    tcp: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Listen for editors on a TCP port.")
    ] = None,
    ws: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Listen for editors on a WebSocket.")
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port of the HTTP API; 0 takes any free one."),
    ] = None,
    log_level: LogLevelOption = None,
    log_file: LogFileOption = None,
) -> None:
    """Run the language server; editors start this."""
    _log_as(log_level, log_file)
    from forge_lsp.cli import language_server

    if sum((stdio, tcp is not None, ws is not None)) > 1:
        raise typer.BadParameter("Choose one of --stdio, --tcp and --ws.")
    if tcp is not None:
        language_server.over_tcp(*_address(tcp, "--tcp"), http_port)
    elif ws is not None:
        language_server.over_websocket(*_address(ws, "--ws"), http_port)
    else:
        raise typer.Exit(language_server.over_stdio(http_port))


@app.command(
    epilog="Example:  forge-lsp serve --port 8787, then  "
    'curl -H "Authorization: Bearer $(forge-lsp token show)" http://127.0.0.1:8787/api/sandbox/status',
)
def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="The address to bind to.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="0 takes any free one.", show_default="0"),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Ask for no token; on a loopback address only.")
    ] = False,
    log_level: LogLevelOption = None,
    log_file: LogFileOption = None,
) -> None:
    """Run the HTTP API without an editor.

    Once it is ready, one line of JSON on stdout tells its URL and process id.
    """
    import msgspec

    from forge_lsp.cli.serve import serve as serve_until_told
    from forge_lsp.loading import load
    from forge_lsp.settings import Places

    _log_as(log_level, log_file)
    settings, _ = load()
    given = {"host": host, "port": port, "auth": False if no_auth else None}
    changed = {name: value for name, value in given.items() if value is not None}
    http = msgspec.structs.replace(settings.http, **changed)
    settings = msgspec.structs.replace(settings, http=http)
    run_to_end(serve_until_told(settings, Places.find()))


@e2b_app.command("build-template", epilog="Example:  E2B_API_KEY=… forge-lsp e2b build-template")
def e2b_build_template() -> None:
    """Build what E2B's sandboxes are made from; once for each account, and after an update."""
    from forge_lsp.loading import load
    from forge_lsp.sandbox.e2b.template import build_template

    settings, _ = load()
    name = run_to_end(build_template(settings, lambda stage: typer.echo(stage, err=True)))
    typer.echo(f"The template {name} is built. Set FORGE_SANDBOX_PROVIDER=e2b to use it.")


@app.command(epilog="Example:  forge-lsp runs --limit 5")
def runs(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest first.")] = 20,
) -> None:
    """List the recent runs: when, what, how they ended, what they took."""
    from forge_lsp.app import open_engine
    from forge_lsp.cli.run_table import run_table
    from forge_lsp.loading import load
    from forge_lsp.settings import Places

    async def recent() -> None:
        settings, _ = load()
        engine = await open_engine(settings, Places.find())
        try:
            found = await engine.runs.recent(limit=limit)
        finally:
            await engine.close()
        console = plain_console()
        if found:
            console.print(run_table(found))
        else:
            console.print("There are no runs yet. Try: forge-lsp demo --once")

    run_to_end(recent())


@app.command(epilog="Example:  forge-lsp doctor --json")
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at what this machine has and lacks, and tell how to get it.

    The exit code is 1 if something is missing without which no app can be made.
    """
    from forge_lsp.cli.doctor import can_work, examine
    from forge_lsp.loading import load
    from forge_lsp.settings import Places

    settings, _ = load()
    findings = run_to_end(examine(settings, Places.find()))
    if as_json:
        document = {
            "ok": can_work(findings),
            "version": forge_lsp.__version__,
            "findings": [asdict(each) for each in findings],
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        _print_findings(findings)
    raise typer.Exit(0 if can_work(findings) else 1)


@app.command(epilog="Example:  forge-lsp schema > forge.schema.json")
def schema() -> None:
    """Print what editors' plugins are written against, as JSON Schema.

    Its `event` is what the notification `forge/event` sends, its `commands` what each
    command takes.
    """
    from forge_lsp.cli.schema import schema as made

    typer.echo(json.dumps(made(), indent=2))


@app.command(
    epilog="Examples:  forge-lsp demo   ·   forge-lsp demo --build   ·   "
    'forge-lsp demo --once --prompt "a to-do list" --keep'
)
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End after the page was seen to be up.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(help="What to build.", show_default="a counter, a landing page")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the folder with the written files.")
    ] = False,
    build: Annotated[
        bool,
        typer.Option("--build", help="Plan a landing page, write its files at once, review it."),
    ] = False,
) -> None:
    """Show it all: from a prompt to files in a workspace and a page in a sandbox.

    Starts the language server and speaks to it as an editor would, in a temporary folder.
    Without a key for Claude a demo model answers. The first time it prepares the sandboxes'
    template, which takes up to a minute.
    """
    from forge_lsp.cli.demo import tour

    command, default = (
        ("forge.build", tour.BUILD_PROMPT) if build else ("forge.generate", tour.PROMPT)
    )
    run_to_end(tour.give(plain_console(), command, prompt or default, keep=keep, once=once))


def _print_findings(findings: "Sequence[Finding]") -> None:
    console = plain_console()
    for each in findings:
        missing = "red" if each.is_needed else "yellow"
        mark, style = ("ok", "green") if each.ok else ("missing", missing)
        console.print(f"{mark:8}", style=style, end="")
        console.print(f"{each.name:13} {each.detail}")
        if each.remedy:
            console.print(f"{'':21} → {each.remedy}")


def _log_as(level: LogLevel | None, file: Path | None) -> None:
    """As the command's own options want it; those before the command hold where it has none."""
    if level or file:
        start_logging(level or DEFAULT_LEVEL, file)


def _address(text: str, option: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{option} takes HOST:PORT, such as 127.0.0.1:7998.")
    return host.strip("[]"), int(port)
