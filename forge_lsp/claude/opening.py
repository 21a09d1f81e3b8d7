"""Opens the model that the settings name."""

import asyncio
import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from forge_lsp.errors import ModelKeyRejected, ModelUnreachable
from forge_lsp.ports.model import Model, ModelInfo
from forge_lsp.settings import ModelSettings, Price, Settings

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

DEFAULT_BASE_URL = "https://api.anthropic.com"
DEMO_MODEL = "forge-demo"
DEMO_BASE_URL = "http://demo.invalid"
"""Never asked: the demo's transport answers before anything leaves the process."""
CONNECT_TIMEOUT_S = 10.0


async def open_model(settings: Settings) -> Model:
    """The model, ready to be asked; nothing has been sent yet. Raises `ModelKeyRejected` where
    there is no key, and `ModelUnreachable` where the settings name no server.

    The SDK takes about a second to import and to read the machine's certificates: both are done
    in a thread, and not before this is called.
    """
    open_provider = _open_demo if settings.provider == "demo" else _open_anthropic
    return await asyncio.to_thread(open_provider, settings.model)


def _open_anthropic(settings: ModelSettings) -> Model:
    from forge_lsp.claude.model import ClaudeModel

    info = ModelInfo(
        provider="anthropic",
        code_model=settings.code,
        select_model=settings.select,
        is_canned=False,
        writes_whole_files=settings.whole_files,
    )
    return ClaudeModel(_anthropic_client(settings), settings, info)


def _anthropic_client(settings: ModelSettings) -> "AsyncAnthropic":
    import httpx2
    from anthropic import AnthropicError, AsyncAnthropic, DefaultAsyncHttpxClient

    base_url = settings.base_url or DEFAULT_BASE_URL
    scheme, host = _scheme_and_host(base_url)
    key = settings.api_key.reveal() if settings.api_key else None
    if scheme == "http" and not key:
        # A server in the local network takes any key, and shall not be sent, in clear text, one
        # that the SDK finds elsewhere.
        key = "none"
    http_client = None
    if _is_loopback(host):
        # No proxy reaches this machine's own loopback; given a transport, the SDK's client
        # looks for none.
        http_client = DefaultAsyncHttpxClient(
            transport=httpx2.AsyncHTTPTransport(), trust_env=False
        )
    try:
        client = AsyncAnthropic(
            api_key=key,
            base_url=base_url,
            http_client=http_client,
            timeout=httpx2.Timeout(settings.idle_timeout_s, connect=CONNECT_TIMEOUT_S),
            max_retries=0,
            open_telemetry=False,
        )
    except AnthropicError as error:
        # Without a key the SDK looks for a profile on disk, and may find a broken one.
        raise ModelKeyRejected("There is no API key, and no profile that can be used.") from error
    if not (client.api_key or client.auth_token or client.credentials):
        # The SDK's own check comes late, in the first request, and as a plain TypeError.
        raise ModelKeyRejected("There is no API key for the model's server.")
    return client


def _open_demo(settings: ModelSettings) -> Model:
    import httpx2
    from anthropic import AsyncAnthropic

    from forge_lsp.claude.demo.transport import DemoTransport
    from forge_lsp.claude.model import ClaudeModel

    own = ModelSettings(
        code=DEMO_MODEL, select=DEMO_MODEL, prices={DEMO_MODEL: Price(input=0, output=0)}
    )
    client = AsyncAnthropic(
        api_key="none",
        base_url=DEMO_BASE_URL,
        http_client=httpx2.AsyncClient(
            transport=DemoTransport(pace_s=settings.demo_pace_s), trust_env=False
        ),
        max_retries=0,
        open_telemetry=False,
    )
    info = ModelInfo(
        provider="demo",
        code_model=DEMO_MODEL,
        select_model=DEMO_MODEL,
        is_canned=True,
        writes_whole_files=settings.whole_files,
    )
    return ClaudeModel(client, own, info)


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        raise ModelUnreachable(
            "The base URL of the model's server is no address.",
            remedy="Set ANTHROPIC_BASE_URL to one such as http://localhost:11434, without `/v1`.",
        )
    return scheme, host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
