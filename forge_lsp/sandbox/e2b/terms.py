"""On what terms E2B is asked for a sandbox."""

import hashlib
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from e2b import ALL_TRAFFIC, SandboxLifecycle, SandboxNetworkOpts

from forge_lsp.processes import this_process
from forge_lsp.sandbox.e2b.managers import registry_url
from forge_lsp.settings import SandboxSettings

OWNER_LABEL = "forge-lsp-owner"
PROCESS_LABEL = "forge-lsp-process"
PROJECT_LABEL = "forge-lsp-project"
KIND_LABEL = "forge-lsp-kind"
APP_KIND = "app"
PYTHON_KIND = "python"
_OWNER_FILE = "e2b-owner"


def network(settings: SandboxSettings) -> SandboxNetworkOpts | None:
    """Nothing but npm's registry, unless more is asked for."""
    if settings.e2b_internet:
        return None
    registry = urlsplit(registry_url(settings)).hostname or ""
    return {"allow_out": [registry], "deny_out": [ALL_TRAFFIC]}


def lifecycle(settings: SandboxSettings) -> SandboxLifecycle:
    """What becomes of it when its lease has run out."""
    if settings.e2b_on_timeout == "pause":
        return {"on_timeout": "pause", "auto_resume": True}
    return {"on_timeout": "kill"}


def labels(owner: str, project: str, kind: str = APP_KIND) -> dict[str, str]:
    """By which it is found again; `project` may be empty."""
    found = {OWNER_LABEL: owner, PROCESS_LABEL: this_process(), KIND_LABEL: kind}
    return found | ({PROJECT_LABEL: project_label(owner, project)} if project else {})


def project_label(owner: str, project: str) -> str:
    """Names a project to E2B, and tells nothing about it: its id holds the path of a folder."""
    return hashlib.sha256(f"{owner}\0{project}".encode()).hexdigest()[:32]


def owner(state: Path) -> str:
    """Names this user on this machine to E2B, and tells nothing about either."""
    place = state / _OWNER_FILE
    try:
        return place.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place.with_name(f"{_OWNER_FILE}.{secrets.token_hex(4)}")
    draft.write_text(secrets.token_hex(16), encoding="ascii")
    try:
        # Of two processes that start at once, the first one's name stays.
        os.link(draft, place)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return place.read_text(encoding="ascii").strip()
