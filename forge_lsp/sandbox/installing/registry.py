"""The npm registry as sandboxes may see it: old enough versions, read only, cached on the host."""

import asyncio
import hashlib
import os
import secrets
import ssl
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox.installing import packuments
from forge_lsp.sandbox.installing.packuments import Packument
from forge_lsp.sandbox.installing.source import RegistrySource
from forge_lsp.turns import Turns

CONNECT_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 10.0
PACKUMENT_TIMEOUT_S = 30.0
TARBALL_TIMEOUT_S = 120.0
OUTAGE_S = 5.0
"""After no answer at all, nobody asks again for this long."""
FRESH_S = 300.0
"""For this long a packument is believed without asking."""
MAX_PACKUMENT_BYTES = 64 * 1024 * 1024
MAX_TARBALL_BYTES = 256 * 1024 * 1024
MAX_KEPT_VERSIONS = 100_000
"""In memory, over all packuments; one takes about 1 kB."""
MAX_CACHE_BYTES = 2 * 1024 * 1024 * 1024
PIECE_BYTES = 1 << 18
DAY_S = 86_400.0
ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"


class RegistryFailed(SandboxFailed):
    """A package, or the registry, can't be had; `status` is how HTTP would say so."""

    remedy = ""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class _Kept:
    packument: Packument
    etag: str | None
    fetched_at: float


class Registry:
    """One registry, and what is remembered of it."""

    def __init__(
        self,
        find_source: Callable[[], Awaitable[RegistrySource]],
        cache: Path,
        *,
        minimum_age_days: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._find_source = find_source
        self._found: RegistrySource | None = None
        self._cache = cache
        self._minimum_age_days = minimum_age_days
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._turns = Turns()
        """One for each thing that is being fetched, so that it is fetched once."""
        self._outage: tuple[float, str] = (0.0, "")

    async def packument(self, name: str) -> Packument:
        """The package's versions that are old enough; there is at least one.

        Raises `RegistryFailed`, whose message tells why there is none.
        """
        async with self._turns.of(name):
            whole = await self._fresh(name)
        if not self._minimum_age_days:
            return whole
        limit = self._now() - self._minimum_age_days * DAY_S
        if not whole.knows_ages_before(limit):
            raise RegistryFailed(
                f"The npm registry does not say when versions of {name} were published; with "
                "FORGE_SANDBOX_MINIMUM_RELEASE_AGE_DAYS=0 it is installed all the same.",
                403,
            )
        old = packuments.published_before(whole, limit)
        if not old.versions:
            raise RegistryFailed(
                f"Every version of {name} is younger than {self._minimum_age_days:g} days.", 403
            )
        return old

    async def tarball(self, name: str, version: str) -> Path:
        """The version's tarball, in the cache; raises `RegistryFailed`."""
        source = await self._source()
        url, integrity = f"{source.url}{packuments.tarball_path(name, version)}", None
        if self._minimum_age_days:
            known = (await self.packument(name)).versions.get(version)
            if known is None:
                raise RegistryFailed(f"{name} {version} does not exist, or is too young.", 403)
            integrity = known.dist.integrity
            if _origin(known.dist.tarball) == _origin(url):
                url = known.dist.tarball
        place = self._cache / f"{hashlib.sha256(url.encode()).hexdigest()}.tgz"
        async with self._turns.of(url):
            if not await asyncio.to_thread(_touch, place):
                await self._download(url, place, integrity)
        return place

    async def close(self) -> None:
        """End its connections, and trim the cache on disk."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            await asyncio.to_thread(_trim, self._cache)

    async def _fresh(self, name: str) -> Packument:
        kept = self._kept.get(name)
        if kept is not None and self._now() - kept.fetched_at < FRESH_S:
            self._kept.move_to_end(name)
            return kept.packument
        found = await self._fetch(name, ABBREVIATED, kept)
        limit = self._now() - self._minimum_age_days * DAY_S
        if self._minimum_age_days and not found.packument.knows_ages_before(limit):
            found = await self._fetch(name, "application/json", None)
        self._kept[name] = found
        self._kept.move_to_end(name)
        while sum(len(each.packument.versions) for each in self._kept.values()) > MAX_KEPT_VERSIONS:
            self._kept.popitem(last=False)
        return found.packument

    async def _fetch(self, name: str, accept: str, kept: _Kept | None) -> _Kept:
        headers = {"Accept": accept}
        if kept is not None and kept.etag is not None:
            headers["If-None-Match"] = kept.etag
        url = f"{(await self._source()).url}/{quote(name, safe='@')}"
        async with self._ask(url, name, PACKUMENT_TIMEOUT_S, headers) as answer:
            if answer.status == 304 and kept is not None:
                return _Kept(kept.packument, kept.etag, self._now())
            body = bytearray()
            async for piece in answer.content.iter_chunked(PIECE_BYTES):
                body += piece
                _check_size(len(body), MAX_PACKUMENT_BYTES, name)
            etag = answer.headers.get("ETag")
        try:
            packument = await asyncio.to_thread(packuments.decode, name, bytes(body))
        except ValueError as error:
            raise RegistryFailed(f"What the npm registry says of {name} is broken.", 502) from error
        if not packument.versions:
            raise RegistryFailed(f"{name} has no versions in the npm registry.", 404)
        return _Kept(packument, etag, self._now())

    async def _download(self, url: str, place: Path, integrity: object) -> None:
        subject = url.rpartition("/")[2]
        part = place.with_name(f"{place.name}.{secrets.token_hex(8)}.part")
        checksum = hashlib.sha512()
        size = 0
        try:
            await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
            async with self._ask(url, subject, TARBALL_TIMEOUT_S, {}) as answer:
                with part.open("xb") as file:
                    async for piece in answer.content.iter_chunked(PIECE_BYTES):
                        size += len(piece)
                        _check_size(size, MAX_TARBALL_BYTES, subject)
                        checksum.update(piece)
                        await asyncio.to_thread(file.write, piece)
            if not _matches(checksum.digest(), integrity):
                raise RegistryFailed(f"{subject} is not what the npm registry promised.", 502)
            part.replace(place)
        except OSError as error:
            raise RegistryFailed(
                f"The package cache {place.parent} can't be written: {error.strerror}.", 507
            ) from error
        finally:
            part.unlink(missing_ok=True)

    @asynccontextmanager
    async def _ask(
        self, url: str, subject: str, total_s: float, headers: dict[str, str]
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        until, why = self._outage
        if self._now() < until:
            raise RegistryFailed(why, 504)
        timeout = aiohttp.ClientTimeout(
            total=total_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_TIMEOUT_S
        )
        source = await self._source()
        try:
            async with self._connections(source).get(
                url, headers=headers, proxy=source.proxy, max_redirects=5, timeout=timeout
            ) as answer:
                _check_status(answer.status, subject)
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            # A timeout says nothing of itself but its kind.
            cause = str(error) or type(error).__name__
            host = urlsplit(source.url).hostname
            why = f"The npm registry at {host} can't be reached ({cause[:200]})."
            if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                self._outage = (self._now() + OUTAGE_S, why)
            raise RegistryFailed(why, 504) from error

    async def _source(self) -> RegistrySource:
        async with self._turns.of(""):
            if self._found is None:
                self._found = await self._find_source()
            return self._found

    def _connections(self, source: RegistrySource) -> aiohttp.ClientSession:
        if self._session is None:
            trust = ssl.create_default_context()
            if source.certificates is not None:
                trust.load_verify_locations(source.certificates)
            self._session = aiohttp.ClientSession(
                trust_env=True, connector=aiohttp.TCPConnector(ssl=trust), max_field_size=32_768
            )
        return self._session


def _check_status(status: int, subject: str) -> None:
    if status in (200, 304):
        return
    if status == 404:
        raise RegistryFailed(f"{subject} is not in the npm registry.", 404)
    if status in (401, 403):
        raise RegistryFailed(
            f"The npm registry wants a login for {subject}; none is used for sandboxes.", 403
        )
    raise RegistryFailed(f"The npm registry answers {status} for {subject}.", 502)


def _check_size(size: int, limit: int, subject: str) -> None:
    if size > limit:
        raise RegistryFailed(f"{subject} is larger than {limit >> 20} MB.", 502)


def _matches(sha512: bytes, integrity: object) -> bool:
    """Whether the checksum is one of those that the packument gives; older ones have none."""
    if not isinstance(integrity, str):
        return True
    wanted = [each[7:].partition("?")[0] for each in integrity.split() if each[:7] == "sha512-"]
    return not wanted or b64encode(sha512).decode() in wanted


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _touch(place: Path) -> bool:
    """Mark a cached file as used now; False where it isn't there."""
    try:
        os.utime(place)
    except FileNotFoundError:
        return False
    return True


def _trim(cache: Path) -> None:
    """Remove the tarballs that were used longest ago, down to `MAX_CACHE_BYTES`."""
    entries = sorted(
        ((entry.stat(), entry) for entry in cache.glob("*.tgz*")),
        key=lambda each: -each[0].st_mtime,
    )
    total = 0
    for found, entry in entries:
        total += found.st_size
        if total > MAX_CACHE_BYTES:
            entry.unlink(missing_ok=True)
