"""`forge-lsp token`: who may ask over HTTP, and for what."""

import json
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from forge_lsp.cli.signals import run_to_end
from forge_lsp.cli.terminal import plain_console

if TYPE_CHECKING:
    from forge_lsp.ports.store import Store

T = TypeVar("T")

_UNITS_S = {"m": 60, "h": 60 * 60, "d": 24 * 60 * 60, "w": 7 * 24 * 60 * 60}
_LIFETIME = re.compile(r"([1-9][0-9]{0,4})([mhdw])", re.ASCII)


class PlanName(StrEnum):
    """What an account is to have."""

    free = "free"
    pro = "pro"


class ScopeName(StrEnum):
    """What a token lets its holder ask for."""

    read = "read"
    generate = "generate"
    sandbox = "sandbox"
    admin = "admin"


token_app = typer.Typer(
    no_args_is_help=True, help="The tokens by which HTTP clients are known, and their accounts."
)


@token_app.command("show", epilog="Example:  TOKEN=$(forge-lsp token show)")
def show() -> None:
    """Print the owner's token; it is made on first use."""
    from forge_lsp.actions.tokens import owner_token
    from forge_lsp.loading import load
    from forge_lsp.settings import Places

    settings, _ = load()
    typer.echo(owner_token(settings, Places.find()))


@token_app.command(
    "create",
    epilog="Examples:  TOKEN=$(forge-lsp token create --name ci --expires 30d)   ·   "
    "forge-lsp token create --name ana --plan pro   ·   "
    "forge-lsp token create --name dashboard --account owner --scope read",
)
def create(
    *,
    name: Annotated[str, typer.Option(help="What the token is called.")],
    account: Annotated[
        str | None,
        typer.Option(
            help="Whose it is: sandboxes, runs and limits are the account's, which is made where "
            "there is none. `owner` is yours.",
            show_default="the token's name",
        ),
    ] = None,
    plan: Annotated[
        PlanName | None,
        typer.Option(help="The account's plan.", show_default="what it has, else free"),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(help="Give the account a feature of pro: inline_code_edit. Repeatable."),
    ] = None,
    scope: Annotated[
        list[ScopeName] | None,
        typer.Option(
            help="What the token is for. Repeatable.", show_default="read, generate, sandbox"
        ),
    ] = None,
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="As 30d, 12h, 45m or 2w, or never.")
    ] = "90d",
) -> None:
    """Make a token for somebody else, and print it: it is shown this once.

    Only its hash is kept. It holds at once in every server that shares the database.
    """
    from forge_lsp.actions.accounts import USUAL_SCOPES, TokenRequest, create_token

    asked = TokenRequest(
        name=name,
        account=account,
        plan=None if plan is None else plan.value,
        features=tuple(feature or ()),
        scopes=tuple(each.value for each in scope or ()) or USUAL_SCOPES,
        lifetime_s=_lifetime_s(expires),
    )
    text, token = _with_store(lambda store: create_token(store, asked))
    typer.echo(text)
    typer.echo(
        f"The token {token.id} of the account {token.account} is made. It can't be shown again; "
        f"`forge-lsp token revoke {token.id}` ends it.",
        err=True,
    )


@token_app.command("list", epilog="Example:  forge-lsp token list --json")
def list_all(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the tokens that were made, with their accounts: never the tokens themselves."""
    from forge_lsp.cli.token_table import documents, token_table

    tokens = _with_store(lambda store: store.tokens())
    if as_json:
        typer.echo(json.dumps(documents(tokens), indent=2))
    elif tokens:
        plain_console().print(token_table(tokens))
    else:
        typer.echo("There are no tokens beside the owner's. Try: forge-lsp token create --name ci")


@token_app.command("revoke", epilog="Example:  forge-lsp token revoke ci")
def revoke(
    token: Annotated[
        str, typer.Argument(metavar="NAME_OR_ID", help="A token's name or id, or the token.")
    ],
) -> None:
    """Let a token count no more, at once and for good; of a name, all that bear it."""
    from forge_lsp.actions.accounts import revoke_tokens

    for token_id in _with_store(lambda store: revoke_tokens(store, token)):
        typer.echo(f"The token {token_id} is revoked.")


def _with_store(work: "Callable[[Store], Awaitable[T]]") -> T:
    from forge_lsp.app import open_engine
    from forge_lsp.loading import load
    from forge_lsp.settings import Places

    async def on_open_store() -> T:
        settings, _ = load(ask_keyring=False)
        engine = await open_engine(settings, Places.find())
        try:
            return await work(engine.store)
        finally:
            await engine.close()

    return run_to_end(on_open_store())


def _lifetime_s(text: str) -> float | None:
    if text == "never":
        return None
    found = _LIFETIME.fullmatch(text)
    if found is None:
        raise typer.BadParameter("--expires takes a time as 30d, 12h, 45m or 2w, or never.")
    return float(int(found[1]) * _UNITS_S[found[2]])
