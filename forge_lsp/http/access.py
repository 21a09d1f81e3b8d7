"""Who may ask, and from where."""

import ipaddress
from dataclasses import dataclass
from typing import Self

from forge_lsp.errors import InvalidRequest
from forge_lsp.settings import HttpSettings


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must bring."""

    token: str | None
    """None: whoever reaches the socket is the owner."""
    hosts: frozenset[str]
    """Every `Host` that means this server, in lower case, with its port where it isn't 80."""
    origins: frozenset[str]
    """Every `Origin` that may ask."""

    @classmethod
    def to(cls, settings: HttpSettings, port: int, token: str | None) -> Self:
        """What a server that listens on `settings.host` and `port` asks for."""
        names = ("localhost", "127.0.0.1", "[::1]", bracketed(settings.host))
        hosts = {_with_port(name.lower(), port) for name in names}
        for name in settings.allowed_hosts:
            hosts |= {name.lower(), _with_port(name.lower(), port)}
        # A proxy in front may speak TLS for it.
        own = {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}
        origins = own | set(settings.allowed_origins)
        return cls(token, frozenset(hosts), frozenset(origins))


def check_authentication(host: str, token: str | None) -> None:
    """Raises `InvalidRequest` where others than this machine could ask without a token."""
    if token is None and not is_loopback(host):
        raise InvalidRequest(
            f"Without authentication the API may only be bound to the loopback, not to {host}.",
            remedy="Bind it to 127.0.0.1, or ask for tokens.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what is bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """The host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _with_port(name: str, port: int) -> str:
    return name if port == 80 else f"{name}:{port}"
