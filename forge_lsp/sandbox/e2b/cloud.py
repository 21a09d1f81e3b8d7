"""Which E2B is meant, and the key to it."""

import traceback
from dataclasses import dataclass
from importlib import resources

from e2b.connection_config import ApiParams

from forge_lsp.errors import SandboxFailed
from forge_lsp.sandbox import e2b, template
from forge_lsp.settings import SandboxSettings, Secret

DEFAULT_DOMAIN = "e2b.app"
REQUEST_TIMEOUT_S = 60.0
SCRIPTS = ("dev-server.sh", "project.mjs", "put.mjs")
KEY_REMEDY = (
    "Get a key at https://e2b.dev/dashboard?tab=keys and set E2B_API_KEY to it, "
    "or keep it with `keyring set forge-lsp e2b`."
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """How E2B is reached."""

    key: Secret
    domain: str
    preview_url: str
    """With `{port}`, `{id}` and `{domain}` in it."""

    @classmethod
    def of(cls, settings: SandboxSettings) -> "Cloud":
        """The one that the settings name; raises `SandboxFailed` where there is no key."""
        if settings.e2b_api_key is None:
            raise SandboxFailed("There is no key for E2B.", remedy=KEY_REMEDY)
        return cls(
            settings.e2b_api_key, settings.e2b_domain or DEFAULT_DOMAIN, settings.e2b_preview_url
        )

    @property
    def parameters(self) -> ApiParams:
        """What every call of the SDK is told.

        Its own second tries are silent, so they are switched off: ours are told to people.
        """
        return {
            "api_key": self.key.reveal(),
            "domain": self.domain,
            "debug": False,
            "retries": 0,
            "request_timeout": REQUEST_TIMEOUT_S,
        }

    def preview_of(self, sandbox_id: str, domain: str, port: int) -> str:
        """Where a sandbox's port answers."""
        parts = {"{port}": str(port), "{id}": sandbox_id, "{domain}": domain}
        url = self.preview_url
        for name, part in parts.items():
            url = url.replace(name, part)
        return url

    def hide_key(self, text: str) -> str:
        """The text without the key, which a server may have sent back."""
        return text.replace(self.key.reveal(), "***")

    def tells_key(self, error: BaseException) -> bool:
        """Whether the key shows in anything that a log would print of this error."""
        return self.key.reveal() in "".join(traceback.format_exception(error))


def template_name(settings: SandboxSettings) -> str:
    """The template to make sandboxes from: the user's own, or ours for this very version."""
    if settings.e2b_template:
        return settings.e2b_template
    return f"forge-lsp-{template.digest({**template.template_files(), **scripts()})}"


def scripts() -> dict[str, bytes]:
    """Our own programs in a sandbox, by their names."""
    place = resources.files(e2b)
    return {name: (place / name).read_bytes() for name in SCRIPTS}
