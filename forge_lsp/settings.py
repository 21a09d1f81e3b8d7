"""Settings: every limit, timeout and choice, each with its unit in its name.

Nearest first: what the editor sends, the environment (`FORGE_<GROUP>_<NAME>`), `forge.toml` in
the workspace, `config.toml` in the user's config folder, the defaults here. A workspace file is
somebody else's word: it may only set what `WORKSPACE_MAY_SET` lists. Secrets come from the
environment or the keyring, never from a file.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from forge_lsp.errors import InvalidRequest

KEYRING_SERVICE = "forge-lsp"

WORKSPACE_MAY_SET = frozenset(
    {
        "model.code",
        "model.select",
        "model.effort",
        "model.max_output_tokens",
        "generation.context_tokens",
        "generation.recent_messages",
        "generation.max_continuations",
    }
)
"""What `forge.toml` may set: nothing that runs a command, names a server, loosens a limit, or
spares somebody else's workspace the review."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Group):
    """US dollars for a million tokens."""

    input: float
    output: float


class ModelSettings(_Group):
    """Which model answers, where, and how patient we are with it."""

    provider: Literal["anthropic", "demo"] | None = None
    """None: anthropic where there is a key or a base URL, else demo."""
    code: str = "claude-opus-5-5"
    """Writes code."""
    select: str = "claude-haiku-5-5"
    """Chooses files; small and quick."""
    base_url: str | None = None
    """Any server of the Messages API, without `/v1`; ANTHROPIC_BASE_URL sets it too."""
    api_key: SecretStr | None = None
    """From ANTHROPIC_API_KEY or the keyring only."""
    effort: Literal["low", "medium", "high"] | None = None
    max_output_tokens: int = Field(default=32_000, ge=256)
    idle_timeout_s: float = Field(default=90.0, gt=0)
    """A reply that is silent for this long counts as broken off."""
    ping_timeout_s: float = Field(default=600.0, gt=0)
    """A reply that brings nothing but pings for this long counts as broken off, too."""
    attempts: int = Field(default=5, ge=1, le=20)
    max_retry_delay_s: float = Field(default=30.0, gt=0)
    prompt_caching: bool = True
    """The server knows `cache_control`."""
    structured_output: bool = True
    """The server knows `output_config.format`."""
    whole_files: bool = False
    """Ask for whole files only: for small or local models."""
    demo_pace_s: float = Field(default=0.006, ge=0)
    """About how long the demo model waits before each piece of its reply."""
    prices: dict[str, Price] = {
        "claude-opus-5-5": Price(input=4, output=20),
        "claude-sonnet-5-5": Price(input=2, output=10),
        "claude-haiku-5-5": Price(input=0.10, output=0.50),
        "claude-fable-5-1": Price(input=10, output=50),
    }


class GenerationSettings(_Group):
    """What a prompt may hold, and how often a reply is taken up again."""

    context_tokens: int = Field(default=60_000, ge=1_000)
    """Room for the project's files in a prompt, at about 4 bytes a token."""
    recent_messages: int = Field(default=20, ge=0, le=100)
    max_prompt_bytes: int = Field(default=200_000, ge=1_000)
    max_continuations: int = Field(default=3, ge=0, le=10)
    """How often a reply that was cut off is continued."""
    max_reply_characters: int = Field(default=12_000_000, ge=10_000)


class ReviewSettings(_Group):
    """What becomes of a finished run's changes."""

    mode: Literal["ask", "auto"] = "ask"


class SandboxSettings(_Group):
    """Where the model's code runs, and what it may use."""

    provider: Literal["local"] = "local"
    lease_s: float = Field(default=1800.0, ge=10)
    """A sandbox that nobody uses for this long ends."""
    pool_size: int = Field(default=1, ge=0, le=4)
    """How many are kept warm once the first was asked for."""
    memory_mb: int = Field(default=1536, ge=256)
    disk_mb: int = Field(default=1024, ge=128)
    processes: int = Field(default=512, ge=32)
    start_timeout_s: float = Field(default=60.0, gt=0)
    install_timeout_s: float = Field(default=180.0, gt=0)
    prepare_timeout_s: float = Field(default=600.0, gt=0)
    """For the template's packages, fetched once for each machine."""
    registry_url: str | None = None
    """An npm registry; None: the one that npm is set up with."""
    minimum_release_age_days: int = Field(default=7, ge=0)
    """Younger versions of packages aren't installed."""


class HttpSettings(_Group):
    """The HTTP API that the language server and `forge-lsp serve` mount."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    auth: bool = True
    body_limit_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    allowed_hosts: tuple[str, ...] = ()
    """Host names beside localhost and the bound address under which it may be asked."""
    allowed_origins: tuple[str, ...] = ()
    heartbeat_s: float = Field(default=5.0, gt=0)
    stall_timeout_s: float = Field(default=300.0, gt=0)
    """A client that takes nothing of its stream, or sends nothing of its body, for this long is
    let go."""


class RunSettings(_Group):
    """How runs are journalled."""

    coalesce_s: float = Field(default=0.03, ge=0, le=0.05)
    """Text deltas that come within this time of each other become one event."""
    max_active: int = Field(default=64, ge=1)
    """Runs that may be under way at once in one process."""
    listener_grace_s: float = Field(default=300.0, gt=0)
    """A run that was asked for over HTTP and has no listener for this long is cancelled."""


class Settings(BaseSettings):
    """All settings; made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix="FORGE_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="ignore",
        frozen=True,
    )

    home: Path | None = None
    database_url: str | None = None
    token: SecretStr | None = None
    """The owner's token over HTTP, instead of the one on disk."""
    model: ModelSettings = ModelSettings()
    generation: GenerationSettings = GenerationSettings()
    review: ReviewSettings = ReviewSettings()
    sandbox: SandboxSettings = SandboxSettings()
    http: HttpSettings = HttpSettings()
    runs: RunSettings = RunSettings()

    @property
    def provider(self) -> Literal["anthropic", "demo"]:
        """The model provider that is meant where none is named."""
        if self.model.provider:
            return self.model.provider
        return "anthropic" if self.model.api_key or self.model.base_url else "demo"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders that forge-lsp keeps things in."""

    config: Path
    state: Path
    cache: Path

    @classmethod
    def find(cls, home: Path | None = None) -> Self:
        """Under `home` or FORGE_HOME where set, else the platform's own places."""
        chosen = home or os.environ.get("FORGE_HOME")
        if chosen:
            root = Path(chosen).expanduser().absolute()
            return cls(config=root / "config", state=root / "state", cache=root / "cache")
        return cls(
            config=platformdirs.user_config_path("forge-lsp"),
            state=platformdirs.user_state_path("forge-lsp"),
            cache=platformdirs.user_cache_path("forge-lsp"),
        )


def load(
    workspace: Path | None = None, editor: Mapping[str, Any] | None = None
) -> tuple[Settings, Sequence[str]]:
    """Read every source and merge them, the nearer over the farther.

    `editor` is what the client sent for the section `forge`. The second of the pair tells, for
    people, what `forge.toml` asked for and wasn't given. Raises `InvalidRequest`, whose message
    names the setting that is wrong.
    """
    asked = _read_toml(workspace / "forge.toml") if workspace else {}
    granted = {name: value for name, value in _leaves(asked) if name in WORKSPACE_MAY_SET}
    notes = [
        f"forge.toml can't set {name}: set it in your own settings instead."
        for name, _ in _leaves(asked)
        if name not in granted
    ]
    files = (_nested(granted), _without_secrets(_read_toml(Places.find().config / "config.toml")))

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            below = (_of_other_tools(), *files)
            return (
                init_settings,
                env_settings,
                *(InitSettingsSource(settings_cls, layer) for layer in below),
            )

    try:
        settings = Layered(**_without_secrets(editor or {}))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(
            f"The setting forge.{place} is wrong: {first['msg']}.",
            remedy="Correct it in your editor's settings, the environment or forge.toml.",
        ) from error
    except SettingsError as error:
        raise InvalidRequest(
            f"A setting in the environment can't be read: {error}.",
            remedy="Lists are written as JSON, as in FORGE_HTTP_ALLOWED_HOSTS='[\"a\"]'.",
        ) from error
    return settings, notes


def _of_other_tools() -> dict[str, Any]:
    """The variables that the anthropic SDK's users already have set."""
    found = {
        "base_url": os.environ.get("ANTHROPIC_BASE_URL"),
        "api_key": os.environ.get("ANTHROPIC_API_KEY") or _key_in_keyring(),
    }
    return {"model": {name: value for name, value in found.items() if value}}


def _key_in_keyring() -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, "anthropic")
    except KeyringError:
        # No keyring on this machine is the common case on servers, and no fault.
        return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(
            f"The settings file {path} can't be read: {error}.", remedy="Correct or remove it."
        ) from error


def _without_secrets(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what only the environment or the keyring may give."""
    kept = {name: value for name, value in layer.items() if name not in ("token", "home")}
    if isinstance(kept.get("model"), Mapping):
        kept["model"] = {name: value for name, value in kept["model"].items() if name != "api_key"}
    return kept


def _leaves(layer: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in layer.items():
        if isinstance(value, dict):
            yield from _leaves(cast("dict[str, Any]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for name, value in leaves.items():
        group, _, field = name.partition(".")
        groups.setdefault(group, {})[field] = value
    return groups
