"""Settings: every limit, timeout and choice, each with its unit in its name.

`loading` reads them. A language server does so before it is asked for anything, so nothing heavy
is imported here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

import msgspec
import platformdirs
from msgspec import Meta


class Secret:
    """A text that shows in nothing that is printed, logged or dumped."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('***')"


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that stand under one name; one that there isn't is refused."""


class Price(Group, frozen=True):
    """US dollars for a million tokens."""

    input: float
    output: float


PRICES: Mapping[str, Price] = MappingProxyType(
    {
        "claude-opus-5-5": Price(input=4, output=20),
        "claude-sonnet-5-5": Price(input=2, output=10),
        "claude-haiku-5-5": Price(input=0.10, output=0.50),
        "claude-fable-5-1": Price(input=10, output=50),
    }
)
"""Of the models of 2026."""


class ModelSettings(Group, frozen=True):
    """Which model answers, where, and how patient we are with it."""

    provider: Literal["anthropic", "demo"] | None = None
    """None: anthropic where there is a key or a base URL, else demo."""
    code: str = "claude-opus-5-5"
    """Writes code."""
    select: str = "claude-haiku-5-5"
    """Chooses files; small and quick."""
    plan: str | None = None
    """Plans builds; None, here and in the next three: the one that writes code."""
    review: str | None = None
    """Reads what was built as a whole."""
    augment: str | None = None
    """Carries out augmenters."""
    skill: str | None = None
    """Carries out critiques."""
    summarise: str | None = None
    """Sums up what was said long ago in a conversation; None: the one that chooses files."""
    base_url: str | None = None
    """Any server of the Messages API, without `/v1`; ANTHROPIC_BASE_URL sets it too."""
    api_key: Secret | None = None
    """From ANTHROPIC_API_KEY or the keyring only."""
    effort: Literal["low", "medium", "high"] | None = None
    max_output_tokens: Annotated[int, Meta(ge=256)] = 32_000
    idle_timeout_s: Annotated[float, Meta(gt=0)] = 90.0
    """A reply that is silent for this long counts as broken off."""
    ping_timeout_s: Annotated[float, Meta(gt=0)] = 600.0
    """A reply that brings nothing but pings for this long counts as broken off, too."""
    attempts: Annotated[int, Meta(ge=1, le=20)] = 5
    max_retry_delay_s: Annotated[float, Meta(gt=0)] = 30.0
    prompt_caching: bool = True
    """The server knows `cache_control`."""
    structured_output: bool = True
    """The server knows `output_config.format`."""
    pictures: bool = True
    """The model looks at pictures."""
    whole_files: bool = False
    """Ask for whole files only: for small or local models."""
    demo_pace_s: Annotated[float, Meta(ge=0)] = 0.006
    """About how long the demo model waits before each piece of its reply."""
    prices: Mapping[str, Price] = msgspec.field(default_factory=lambda: PRICES)


class GenerationSettings(Group, frozen=True):
    """What a prompt may hold, and how often a reply is taken up again."""

    context_tokens: Annotated[int, Meta(ge=1_000)] = 60_000
    """Room for the project's files in a prompt, at about 4 bytes a token."""
    recent_messages: Annotated[int, Meta(ge=0, le=100)] = 20
    """Messages of a conversation that a follow-up is shown word for word; of older ones it is
    shown a summary. 0: it is shown nothing of the conversation."""
    by_hand_tokens: Annotated[int, Meta(ge=0)] = 2_000
    """Room for what was changed by hand since a run wrote it, as diffs; 0: it isn't told."""
    max_prompt_bytes: Annotated[int, Meta(ge=1_000)] = 200_000
    max_continuations: Annotated[int, Meta(ge=0, le=10)] = 3
    """How often a reply that was cut off is continued."""
    max_reply_characters: Annotated[int, Meta(ge=10_000)] = 12_000_000


class ReviewSettings(Group, frozen=True):
    """What becomes of a finished run's changes."""

    mode: Literal["ask", "auto"] = "ask"


class RepairSettings(Group, frozen=True):
    """What is done about errors that a run brings into its sandbox."""

    automatic: bool = True
    """After each generation; `forge.fix` works either way."""
    attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    """How often the model is asked at most; less often where it makes nothing better."""


class BuildSettings(Group, frozen=True):
    """How whole apps are built."""

    width: Annotated[int, Meta(ge=1, le=16)] = 4
    """Files that are written at once."""
    max_files: Annotated[int, Meta(ge=1, le=200)] = 40
    """A plan that names more is cut off there."""
    review: bool = True
    """Have the whole read once more when it is written."""


class SandboxSettings(Group, frozen=True):
    """Where the model's code runs, and what it may use."""

    provider: Literal["local", "e2b"] = "local"
    lease_s: Annotated[float, Meta(ge=10)] = 1800.0
    """A sandbox that nobody uses for this long ends."""
    pool_size: Annotated[int, Meta(ge=0, le=4)] = 1
    """How many are kept warm once the first was asked for."""
    memory_mb: Annotated[int, Meta(ge=256)] = 1536
    disk_mb: Annotated[int, Meta(ge=128)] = 1024
    processes: Annotated[int, Meta(ge=32)] = 512
    start_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    install_timeout_s: Annotated[float, Meta(gt=0)] = 180.0
    prepare_timeout_s: Annotated[float, Meta(gt=0)] = 600.0
    """For the template's packages, fetched once for each machine."""
    registry_url: str | None = None
    """An npm registry; None: the one that npm is set up with."""
    minimum_release_age_days: Annotated[int, Meta(ge=0)] = 7
    """Younger versions of packages aren't installed."""
    screenshots: bool = True
    """Look at previews with a confined browser, where there is one: for pictures, and for what a
    page throws before anybody has opened it."""
    e2b_api_key: Secret | None = None
    """From E2B_API_KEY or the keyring only."""
    e2b_domain: str | None = None
    """Of an E2B of one's own; E2B_DOMAIN sets it too."""
    e2b_preview_url: str = "https://{port}-{id}.{domain}/"
    """Where a port of a sandbox answers."""
    e2b_template: str | None = None
    """None: the one that `forge-lsp e2b build-template` builds."""
    e2b_python_template: str = "code-interpreter-v1"
    """What pieces of Python run in: E2B's own, or one that was built from it."""
    e2b_python_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    e2b_cpus: Annotated[int, Meta(ge=1)] = 2
    """For the template; its memory is `memory_mb`."""
    e2b_on_timeout: Literal["kill", "pause"] = "kill"
    """A paused sandbox costs storage until it is ended, and goes on when it is used."""
    e2b_internet: bool = False
    """Sandboxes reach the whole network, not just npm's registry."""
    e2b_attempts: Annotated[int, Meta(ge=1, le=20)] = 5
    e2b_max_retry_delay_s: Annotated[float, Meta(gt=0)] = 15.0


class HttpSettings(Group, frozen=True):
    """The HTTP API that the language server and `forge-lsp serve` mount."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    auth: bool = True
    body_limit_bytes: Annotated[int, Meta(ge=1024)] = 10 * 1024 * 1024
    allowed_hosts: tuple[str, ...] = ()
    """Host names beside localhost and the bound address under which it may be asked."""
    allowed_origins: tuple[str, ...] = ()
    heartbeat_s: Annotated[float, Meta(gt=0)] = 5.0
    stall_timeout_s: Annotated[float, Meta(gt=0)] = 300.0
    """A client that takes nothing of its stream, or sends nothing of its body, for this long is
    let go."""
    sandbox_timeout_s: Annotated[float, Meta(gt=0)] = 60.0
    """How long a sandbox may take over the files of one request to /v1."""
    drain_timeout_s: Annotated[float, Meta(ge=0)] = 8.0
    """How long runs may take to end by themselves once `forge-lsp serve` is told to end;
    `docker stop` gives ten seconds."""


class RunSettings(Group, frozen=True):
    """How runs are journalled."""

    coalesce_s: Annotated[float, Meta(ge=0, le=0.05)] = 0.03
    """Text deltas that come within this time of each other become one event."""
    max_active: Annotated[int, Meta(ge=1)] = 64
    """Runs that may be under way at once in one process."""
    listener_grace_s: Annotated[float, Meta(gt=0)] = 300.0
    """A run that was asked for over HTTP and has no listener for this long is cancelled."""
    max_cost_usd: Annotated[float, Meta(gt=0)] | None = None
    """A run that has cost this much asks whether it may go on, and is ended where nobody answers.
    None: no ceiling."""
    keep_days: Annotated[int, Meta(ge=1)] = 30
    """Journals of runs that ended longer ago are removed; the list of runs keeps them."""
    keep_mb: Annotated[int, Meta(ge=1)] = 2_000
    """So are the oldest, where all journals together are larger than this."""
    compact_after_h: Annotated[float, Meta(ge=1)] = 24.0
    """Pieces of text of runs that ended longer ago are joined."""


class LimitSettings(Group, frozen=True):
    """What an account may take over HTTP, by its plan; 0 is no limit.

    The machine's owner has none.
    """

    free_requests_per_minute: Annotated[int, Meta(ge=0)] = 60
    """A burst of as many is taken at once; counted in each process for itself."""
    free_active_runs: Annotated[int, Meta(ge=0)] = 2
    free_tokens_per_day: Annotated[int, Meta(ge=0)] = 500_000
    """Of the model, in and out, by the runs that were started since midnight UTC."""
    pro_requests_per_minute: Annotated[int, Meta(ge=0)] = 600
    pro_active_runs: Annotated[int, Meta(ge=0)] = 16
    pro_tokens_per_day: Annotated[int, Meta(ge=0)] = 20_000_000


class Settings(msgspec.Struct, frozen=True):
    """All settings; made by `loading.load`."""

    database_url: str | None = None
    token: Secret | None = None
    """The owner's token over HTTP, instead of the one on disk."""
    model: ModelSettings = ModelSettings()
    generation: GenerationSettings = GenerationSettings()
    review: ReviewSettings = ReviewSettings()
    repair: RepairSettings = RepairSettings()
    build: BuildSettings = BuildSettings()
    sandbox: SandboxSettings = SandboxSettings()
    http: HttpSettings = HttpSettings()
    runs: RunSettings = RunSettings()
    limits: LimitSettings = LimitSettings()

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
