"""The argument list of bubblewrap: what a sandbox sees."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from forge_lsp.sandbox.isolation.limits import MEBIBYTE, Limits
from forge_lsp.sandbox.isolation.programs import Node

APP = Path("/app")
"""Where the sandbox's own folder appears."""
HOME = Path("/home/app")
TOOLS = Path("/opt/forge")
"""Where a folder with programs that the machine lacks appears, to be read only."""

_TEMPORARY = "/tmp"  # noqa: S108 - The sandbox's own, as the next one.
_SHARED_MEMORY = "/dev/shm"  # noqa: S108

_TEMPORARY_BYTES = 256 * MEBIBYTE
_HOME_BYTES = 64 * MEBIBYTE
_SHARED_MEMORY_BYTES = 64 * MEBIBYTE
_HEAP_MB = 1024

_NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--unshare-net"),
    *("--uid", "1000", "--gid", "1000", "--disable-userns", "--hostname", "sandbox"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"),
)

_HOST_SETTINGS = (
    *("ld.so.cache", "ssl", "pki", "ca-certificates", "alternatives", "nsswitch.conf"),
    *("localtime", "fonts"),
)
"""What of /etc programs need to start; it holds nothing of the user's."""
_FONT_CACHE = "/var/cache/fontconfig"
"""Without it, a browser reads every font of the machine at each start."""


def sandbox_arguments(
    *,
    directory: Path,
    node: Node,
    environment: Mapping[str, str],
    limits: Limits,
    toolbox: Path | None,
) -> Sequence[str]:
    """All but the descriptors and the payload. Mounts are made in this order."""
    return (
        *_NAMESPACES,
        *_system(node),
        *("--proc", "/proc", "--dev", "/dev"),
        *_scratch(_TEMPORARY, _TEMPORARY_BYTES, "1777"),
        *_scratch(str(HOME), _HOME_BYTES, "0700"),
        *("--ro-bind-try", "/proc/sys", "/proc/sys"),
        *("--bind", str(directory), str(APP)),
        *(("--ro-bind", str(toolbox), str(TOOLS)) if toolbox else ()),
        *_scratch(_SHARED_MEMORY, _SHARED_MEMORY_BYTES, "1777"),
        # Without these two, /, /etc and /dev could be written, and without a bound.
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *_variables({**_defaults(node, limits), **environment}),
        *("--chdir", str(APP)),
    )


def _system(node: Node) -> Iterable[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib64"):
        place = Path("/", name)
        if place.is_symlink() or not place.exists():
            yield from ("--symlink", f"usr/{name}", f"/{name}")
        else:
            yield from ("--ro-bind", str(place), str(place))
    for name in _HOST_SETTINGS:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--ro-bind-try", _FONT_CACHE, _FONT_CACHE)
    if node.visible:
        yield from ("--ro-bind", str(node.visible), str(node.visible))


def _scratch(place: str, size: int, mode: str) -> Sequence[str]:
    return ("--perms", mode, "--size", str(size), "--tmpfs", place)


def _variables(environment: Mapping[str, str]) -> Iterable[str]:
    for name, value in environment.items():
        yield from ("--setenv", name, value)


def _defaults(node: Node, limits: Limits) -> Mapping[str, str]:
    heap_mb = min(_HEAP_MB, limits.memory_mb * 2 // 3)
    return {
        "PATH": f"{node.executable.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(HOME),
        "TMPDIR": _TEMPORARY,
        "LANG": "C.UTF-8",
        "NODE_OPTIONS": f"--max-old-space-size={heap_mb}",
    }
