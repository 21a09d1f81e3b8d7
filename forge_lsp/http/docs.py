"""GET /openapi.json, and GET /docs: a page to read it and to try it, which works offline."""

import base64
import functools
import hashlib
import importlib.resources

import msgspec
from aiohttp import web

from forge_lsp.http.openapi.document import describe

DOCUMENT = web.AppKey("document", bytes)


def add_document(app: web.Application) -> None:
    """Describe the application's routes, once all are there."""
    app[DOCUMENT] = msgspec.json.encode(describe(app.router.routes()))


async def openapi(request: web.Request) -> web.Response:
    """Describe every route, body, answer and event, in OpenAPI 3.1."""
    return web.Response(
        body=request.app[DOCUMENT],
        content_type="application/json",
        headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
    )


async def page(request: web.Request) -> web.Response:
    """Show this description as a page on which each request can be tried."""
    del request
    text, policy = _page()
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


@functools.cache
def _page() -> tuple[str, str]:
    """The page with its style and script in it, and the policy that lets it load nothing else and
    ask nobody but this server."""
    folder = importlib.resources.files("forge_lsp.http") / "page"
    html, style, script = (
        (folder / name).read_text("utf-8") for name in ("docs.html", "docs.css", "docs.js")
    )
    policy = (
        f"default-src 'none'; script-src {_hash_source(script)}; style-src {_hash_source(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return html.replace("/*docs.css*/", style).replace("/*docs.js*/", script), policy


def _hash_source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
