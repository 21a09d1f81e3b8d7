"""What forge-lsp needs of this machine, looked at one by one."""

import asyncio
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from forge_lsp.app import open_engine
from forge_lsp.errors import ForgeError, IsolationUnavailable, StoreFailed
from forge_lsp.settings import Places, Settings

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    name: str
    ok: bool
    is_needed: bool
    """Without it a prompt can't become a page."""
    detail: str
    remedy: str


_CHECK_FOLDER = "Check the folder, or set FORGE_HOME to another one."


class Lacking(ForgeError):
    """Something that a look found missing."""

    code = "lacking"


@dataclass(frozen=True, slots=True)
class _Look:
    name: str
    look: Callable[[Settings, Places], Awaitable[str]]
    """Gives what was found; raises a `ForgeError` with the remedy where it is missing."""
    is_needed: bool = True


async def examine(settings: Settings, places: Places) -> Sequence[Finding]:
    """Look at everything, each thing for itself, so that one fault doesn't hide another."""
    return [await _find(each, settings, places) for each in _LOOKS]


def can_work(findings: Sequence[Finding]) -> bool:
    """Whether all that is needed is there."""
    return all(each.ok for each in findings if each.is_needed)


async def _find(look: _Look, settings: Settings, places: Places) -> Finding:
    try:
        detail = await look.look(settings, places)
    except ForgeError as error:
        return _missing(look, error.message, error.remedy)
    except OSError as error:
        return _missing(look, f"{error.filename}: {error.strerror}", _CHECK_FOLDER)
    return Finding(look.name, ok=True, is_needed=look.is_needed, detail=detail, remedy="")


def _missing(look: _Look, detail: str, remedy: str) -> Finding:
    return Finding(look.name, ok=False, is_needed=look.is_needed, detail=detail, remedy=remedy)


async def _python(settings: Settings, places: Places) -> str:
    del settings, places
    if sys.version_info < OLDEST_PYTHON:
        raise Lacking(
            f"This is Python {platform.python_version()}.", remedy="Install Python 3.11 or newer."
        )
    return platform.python_version()


async def _node(settings: Settings, places: Places) -> str:
    del settings, places
    from forge_lsp.sandbox.isolation.identity import Identity
    from forge_lsp.sandbox.isolation.programs import find_node

    node = await asyncio.to_thread(find_node, Identity.choose())
    return f"{'.'.join(map(str, node.version))} ({node.executable})"


async def _npm(settings: Settings, places: Places) -> str:
    del settings, places
    from forge_lsp.sandbox.installing.source import find_npm
    from forge_lsp.sandbox.isolation.identity import Identity
    from forge_lsp.sandbox.isolation.programs import find_node

    try:
        node = await asyncio.to_thread(find_node, Identity.choose())
    except IsolationUnavailable as error:
        raise Lacking("npm comes with Node, which is missing.", remedy=error.remedy) from error
    return str(await asyncio.to_thread(find_npm, node))


async def _bubblewrap(settings: Settings, places: Places) -> str:
    del settings, places
    from forge_lsp.sandbox.isolation.identity import Identity
    from forge_lsp.sandbox.isolation.programs import find_bubblewrap

    return str(await asyncio.to_thread(find_bubblewrap, Identity.choose()))


async def _libseccomp(settings: Settings, places: Places) -> str:
    del settings, places
    from forge_lsp.sandbox.isolation.syscalls import compile_filter

    size = len(await asyncio.to_thread(compile_filter))
    return f"system calls are filtered by a program of {size} bytes"


async def _isolation(settings: Settings, places: Places) -> str:
    from forge_lsp.sandbox.local import LocalProvider

    provider = LocalProvider(settings, places)
    try:
        report = await provider.isolation()
    finally:
        await provider.close()
    if report.tier == "none":
        raise IsolationUnavailable(report.detail, remedy=report.remedy)
    return f"{report.tier}: a sandbox was started and ended; {report.detail}"


async def _browser(settings: Settings, places: Places) -> str:
    del settings, places
    from forge_lsp.sandbox.isolation.identity import Identity
    from forge_lsp.sandbox.isolation.programs import find_browser

    program = await asyncio.to_thread(find_browser, Identity.choose())
    return f"pictures of previews are taken by {program}"


async def _template(settings: Settings, places: Places) -> str:
    del settings
    from forge_lsp.sandbox.isolation.identity import Identity, choose_data_root
    from forge_lsp.sandbox.preparation import template_place

    root = await asyncio.to_thread(choose_data_root, places.cache, Identity.choose())
    place = await asyncio.to_thread(template_place, root)
    if not await asyncio.to_thread(place.is_dir):
        raise Lacking(
            "The sandboxes' template isn't prepared yet.",
            remedy="The first sandbox does that, in about a minute: try `forge-lsp demo --once`.",
        )
    return f"prepared in {place}"


async def _model(settings: Settings, places: Places) -> str:
    del places
    from forge_lsp.claude.opening import open_model

    model = await open_model(settings)
    try:
        info = model.info
    finally:
        await model.close()
    if info.is_canned:
        return "the demo model, whose answers are prepared; it needs no key"
    server = settings.model.base_url or "its usual server"
    key = "a key is set" if settings.model.api_key else "no key is set, and none may be needed"
    return f"{info.provider} {info.code_model} at {server}; {key}"


async def _key(settings: Settings, places: Places) -> str:
    del places
    if settings.model.api_key is None and settings.provider == "demo":
        raise Lacking(
            "There is no key for Claude, so the demo model answers.",
            remedy="Set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for another server of that API.",
        )
    return "set" if settings.model.api_key else "not set"


async def _database(settings: Settings, places: Places) -> str:
    engine = await open_engine(settings, places)
    await engine.close()
    return "it opens, and its schema is up to date"


async def _state(settings: Settings, places: Places) -> str:
    del settings
    try:
        await asyncio.to_thread(_write_in, places)
    except OSError as error:
        raise StoreFailed(f"{places.state} can't be written: {error.strerror}.") from error
    return f"{places.state} can be written"


def _write_in(places: Places) -> None:
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=places.state) as file:
        file.write(os.urandom(16))


async def _http_port(settings: Settings, places: Places) -> str:
    del places
    host, port = settings.http.host, settings.http.port
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(info[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(info[4])
    except OSError as error:
        raise Lacking(
            f"{host} port {port} can't be listened on: {error.strerror}.",
            remedy="Set FORGE_HTTP_PORT to a free one, or to 0 for any.",
        ) from error
    return f"{host}, {f'port {port}' if port else 'any free port'}"


_LOOKS = (
    _Look("Python", _python),
    _Look("Node", _node),
    _Look("npm", _npm),
    _Look("bubblewrap", _bubblewrap),
    _Look("libseccomp", _libseccomp),
    _Look("isolation", _isolation),
    _Look("browser", _browser, is_needed=False),
    _Look("template", _template, is_needed=False),
    _Look("model", _model),
    _Look("model key", _key, is_needed=False),
    _Look("database", _database),
    _Look("state folder", _state),
    _Look("HTTP port", _http_port, is_needed=False),
)
