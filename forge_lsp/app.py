"""Puts the parts together: the one place that names them all."""

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType

from forge_lsp.actions.engine import Engine
from forge_lsp.actions.late import Late
from forge_lsp.actions.review import Reviews
from forge_lsp.actions.sandboxes import Sandboxes
from forge_lsp.ports.model import Model
from forge_lsp.ports.sandbox import SandboxProvider
from forge_lsp.ports.store import Store
from forge_lsp.runs import Runs
from forge_lsp.settings import Places, Settings
from forge_lsp.upkeep import Upkeep


async def open_engine(settings: Settings, places: Places) -> Engine:
    """An engine on the store that the settings name; the model and sandboxes open when needed.

    Runs that a dead process left open are ended. Raises `StoreFailed`.
    """
    store = await _open_store(settings, places)
    runs = Runs(store, coalesce_s=settings.runs.coalesce_s, max_active=settings.runs.max_active)
    try:
        await runs.end_orphans()
    except BaseException:
        await store.close()
        raise
    upkeep = Upkeep(runs, store, settings.runs)
    upkeep.start()

    async def open_the_model() -> Model:
        open_model = await asyncio.to_thread(_import_claude)
        return await open_model(settings)

    async def open_the_provider() -> SandboxProvider:
        import_provider = _PROVIDERS[settings.sandbox.provider]
        provider = await asyncio.to_thread(import_provider)
        return provider(settings, places)

    sandboxes = Sandboxes(Late(open_the_provider))
    return Engine(
        settings=settings,
        places=places,
        store=store,
        runs=runs,
        model=Late(open_the_model),
        sandboxes=sandboxes,
        reviews=Reviews(store, runs, sandboxes, settings.review),
        upkeep=upkeep,
    )


async def _open_store(settings: Settings, places: Places) -> Store:
    sql = await asyncio.to_thread(_import_store)
    return await sql.open_store(settings.database_url or sql.default_url(places))


# Heavy modules are imported in a thread, so that the event loop goes on answering.


def _import_claude() -> Callable[[Settings], Awaitable[Model]]:
    from forge_lsp.claude.opening import open_model

    return open_model


def _import_local() -> Callable[[Settings, Places], SandboxProvider]:
    from forge_lsp.sandbox.local import LocalProvider

    return LocalProvider


def _import_e2b() -> Callable[[Settings, Places], SandboxProvider]:
    from forge_lsp.sandbox.e2b.provider import E2bProvider

    return E2bProvider


_PROVIDERS = {"local": _import_local, "e2b": _import_e2b}


def _import_store() -> ModuleType:
    from forge_lsp.store import sql

    return sql
