import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import msgspec
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError

from forge_lsp.errors import InvalidRequest
from forge_lsp.loading import KEYRING_SERVICE, WORKSPACE_MAY_SET, load
from forge_lsp.settings import Places, Settings

SECRET = "sk-secret-0123456789"


class MemoryKeyring(KeyringBackend):
    """A keyring that holds what it is made with; None: there is none on this machine."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, kept: dict[tuple[str, str], str] | None) -> None:
        super().__init__()
        self.kept = kept

    def get_password(self, service: str, username: str) -> str | None:
        if self.kept is None:
            raise NoKeyringError
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NoKeyringError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine on which nothing is set up."""
    for name in tuple(os.environ):
        if name.startswith(("FORGE_", "ANTHROPIC_", "E2B_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FORGE_HOME", str(tmp_path / "home"))
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring(None))
    yield tmp_path / "home"
    keyring.set_keyring(before)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def in_config(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config/config.toml").write_text(text, encoding="utf-8")


def test_without_any_source_the_defaults_hold() -> None:
    settings, notes = load()
    assert settings == Settings()
    assert settings.provider == "demo"
    assert notes == []


def test_the_nearer_source_wins(
    home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def effort_and_code() -> tuple[str | None, str]:
        return found(None).model.effort, found(None).model.code

    def found(editor: dict[str, Any] | None) -> Settings:
        return load(workspace, editor)[0]

    in_config(home, 'model.effort = "low"\nmodel.code = "from-config"\n')
    assert effort_and_code() == ("low", "from-config")
    (workspace / "forge.toml").write_text('[model]\neffort = "medium"\n')
    assert effort_and_code() == ("medium", "from-config")
    monkeypatch.setenv("FORGE_MODEL_EFFORT", "high")
    assert effort_and_code() == ("high", "from-config")
    editor = {"model": {"effort": "low"}}
    assert (found(editor).model.effort, found(editor).model.code) == ("low", "from-config")


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("FORGE_REVIEW_MODE", "auto", ("review", "mode")),
        ("FORGE_MODEL_PROVIDER", "demo", ("model", "provider")),
        ("FORGE_MODEL_BASE_URL", "http://127.0.0.1:1", ("model", "base_url")),
        ("FORGE_GENERATION_CONTEXT_TOKENS", "5000", ("generation", "context_tokens")),
        ("FORGE_SANDBOX_MINIMUM_RELEASE_AGE_DAYS", "0", ("sandbox", "minimum_release_age_days")),
        ("FORGE_HTTP_PORT", "4711", ("http", "port")),
        ("FORGE_RUNS_MAX_ACTIVE", "3", ("runs", "max_active")),
        ("FORGE_DATABASE_URL", "sqlite:///x.db", ("database_url",)),
    ],
)
def test_the_environment_sets_every_group(
    variable: str, value: str, setting: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    found: Any = load()[0]
    for name in setting:
        found = getattr(found, name)
    assert str(found) == value


def test_forge_toml_sets_what_the_list_allows(workspace: Path) -> None:
    (workspace / "forge.toml").write_text(
        """
        [model]
        code = "a"
        select = "b"
        effort = "low"
        max_output_tokens = 1000
        plan = "c"
        review = "d"
        augment = "e"
        skill = "f"
        summarise = "g"
        [generation]
        context_tokens = 2000
        recent_messages = 1
        by_hand_tokens = 100
        max_continuations = 2
        """
    )
    settings, notes = load(workspace)
    assert notes == []
    found = {
        f"{group}.{name}"
        for group in Settings.__struct_fields__
        for name in getattr(getattr(settings, group), "__struct_fields__", ())
        if getattr(getattr(settings, group), name) != getattr(getattr(Settings(), group), name)
    }
    assert found == WORKSPACE_MAY_SET
    assert settings.model.max_output_tokens == 1000


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('model.base_url = "http://evil.invalid"', "model.base_url"),
        (f'model.api_key = "{SECRET}"', "model.api_key"),
        ('model.provider = "demo"', "model.provider"),
        ("http.auth = false", "http.auth"),
        ('http.host = "0.0.0.0"', "http.host"),
        ('http.allowed_origins = ["https://evil.invalid"]', "http.allowed_origins"),
        ("sandbox.minimum_release_age_days = 0", "sandbox.minimum_release_age_days"),
        ('sandbox.provider = "e2b"', "sandbox.provider"),
        ('sandbox.e2b_domain = "evil.invalid"', "sandbox.e2b_domain"),
        ('sandbox.e2b_preview_url = "http://evil.invalid"', "sandbox.e2b_preview_url"),
        ('sandbox.e2b_python_template = "evil"', "sandbox.e2b_python_template"),
        (f'sandbox.e2b_api_key = "{SECRET}"', "sandbox.e2b_api_key"),
        ('sandbox.registry_url = "http://evil.invalid"', "sandbox.registry_url"),
        ("generation.max_reply_characters = 99", "generation.max_reply_characters"),
        ('token = "t"', "token"),
        ('home = "/tmp"', "home"),
        ('database_url = "sqlite:///x"', "database_url"),
        ("review = 1", "review"),
        ('review.mode.deep = "auto"', "review.mode.deep"),
    ],
)
def test_forge_toml_cant_set_anything_else_and_is_told_so(
    line: str, name: str, workspace: Path
) -> None:
    (workspace / "forge.toml").write_text(line)
    settings, notes = load(workspace)
    assert settings == load()[0]
    assert [note.split(":")[0] for note in notes] == [f"forge.toml can't set {name}"]
    assert SECRET not in str(notes)


def test_a_secret_never_comes_from_a_file_or_the_editor(home: Path) -> None:
    in_config(
        home,
        f'token = "{SECRET}"\nsandbox.e2b_api_key = "{SECRET}"\n'
        f'[model]\napi_key = "{SECRET}"\neffort = "low"\n',
    )
    editor = {
        "token": SECRET,
        "model": {"api_key": SECRET, "code": "mine"},
        "sandbox": {"e2b_api_key": SECRET, "provider": "e2b"},
    }
    settings, _ = load(None, editor)
    assert settings.token is None
    assert settings.model.api_key is None
    assert settings.sandbox.e2b_api_key is None
    assert settings.sandbox.provider == "e2b"
    assert (settings.model.effort, settings.model.code) == ("low", "mine")


def test_the_variables_of_the_sdk_are_taken_and_make_claude_the_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    settings, _ = load()
    assert settings.model.api_key is not None
    assert settings.model.api_key.reveal() == SECRET
    assert settings.provider == "anthropic"


def test_a_base_url_alone_makes_it_no_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    settings, _ = load()
    assert (settings.model.base_url, settings.provider) == ("http://127.0.0.1:1", "anthropic")


def test_our_own_variables_beat_those_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://theirs")
    monkeypatch.setenv("FORGE_MODEL_BASE_URL", "http://ours")
    monkeypatch.setenv("FORGE_MODEL_PROVIDER", "demo")
    settings, _ = load()
    assert (settings.model.base_url, settings.provider) == ("http://ours", "demo")


def test_a_key_may_lie_in_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(MemoryKeyring({(KEYRING_SERVICE, "anthropic"): SECRET}))
    settings, _ = load()
    assert settings.model.api_key is not None
    assert settings.model.api_key.reveal() == SECRET
    monkeypatch.setenv("ANTHROPIC_API_KEY", "nearer")
    nearer, _ = load()
    assert nearer.model.api_key is not None
    assert nearer.model.api_key.reveal() == "nearer"


def test_the_variables_of_e2bs_sdk_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2B_API_KEY", SECRET)
    monkeypatch.setenv("E2B_DOMAIN", "e2b.example")
    settings, _ = load()
    assert settings.sandbox.e2b_api_key is not None
    assert settings.sandbox.e2b_api_key.reveal() == SECRET
    assert settings.sandbox.e2b_domain == "e2b.example"
    assert settings.sandbox.provider == "local"
    assert SECRET not in f"{settings!r}"


def test_python_at_e2b_has_its_template_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load()[0].sandbox.e2b_python_template == "code-interpreter-v1"
    monkeypatch.setenv("FORGE_SANDBOX_E2B_PYTHON_TEMPLATE", "with-pandas")
    monkeypatch.setenv("FORGE_SANDBOX_E2B_PYTHON_TIMEOUT_S", "7.5")
    sandbox = load()[0].sandbox
    assert (sandbox.e2b_python_template, sandbox.e2b_python_timeout_s) == ("with-pandas", 7.5)
    monkeypatch.setenv("FORGE_SANDBOX_E2B_PYTHON_TIMEOUT_S", "0")
    with pytest.raises(InvalidRequest, match="e2b_python_timeout_s"):
        load()


def test_the_key_of_e2b_may_lie_in_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.set_keyring(MemoryKeyring({(KEYRING_SERVICE, "e2b"): SECRET}))
    assert load()[0].sandbox.e2b_api_key is None
    monkeypatch.setenv("FORGE_SANDBOX_PROVIDER", "e2b")
    settings, _ = load()
    assert settings.sandbox.e2b_api_key is not None
    assert settings.sandbox.e2b_api_key.reveal() == SECRET
    assert load(ask_keyring=False)[0].sandbox.e2b_api_key is None
    monkeypatch.setenv("E2B_API_KEY", "nearer")
    nearer = load()[0].sandbox.e2b_api_key
    assert nearer is not None
    assert nearer.reveal() == "nearer"


def test_no_secret_shows_in_what_is_printed_or_dumped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("FORGE_TOKEN", SECRET)
    settings, _ = load()
    assert settings.token is not None
    assert SECRET not in f"{settings!r} {settings} {vars(settings.token.__class__)}"
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)


def test_the_keyring_is_left_alone_where_nobody_needs_a_key() -> None:
    keyring.set_keyring(MemoryKeyring({(KEYRING_SERVICE, "anthropic"): SECRET}))
    settings, _ = load(ask_keyring=False)
    assert settings.model.api_key is None


def test_settings_from_the_same_sources_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    assert load()[0] == load()[0]
    assert load()[0] != load(None, {"http": {"port": 1}})[0]


def test_a_choice_that_is_none_of_them_is_told_which_there_are() -> None:
    with pytest.raises(InvalidRequest, match='may be "low" or "medium" or "high"'):
        load(None, {"model": {"effort": "never"}})


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FORGE_HTTP_PORT", "many"), ("FORGE_HTTP_PROT", "1"), ("FORGE_HTTP_AUTH", "perhaps")],
)
def test_a_wrong_variable_is_named_as_the_setting_it_is(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    place = variable.removeprefix("FORGE_").lower().replace("_", ".", 1)
    with pytest.raises(InvalidRequest, match=f"forge.{place} is wrong"):
        load()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_HTTP_PORT", "")
    assert load()[0].http.port == 0


def test_prices_and_lists_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_HTTP_ALLOWED_HOSTS", '["forge.example"]')
    monkeypatch.setenv("FORGE_HTTP_AUTH", "false")
    monkeypatch.setenv("FORGE_MODEL_PRICES", '{"mine": {"input": 1, "output": 2}}')
    settings, _ = load()
    assert settings.http.allowed_hosts == ("forge.example",)
    assert settings.http.auth is False
    assert settings.model.prices["mine"].output == 2


@pytest.mark.parametrize(
    ("editor", "place"),
    [
        ({"review": {"mode": "never"}}, "forge.review.mode"),
        ({"generation": {"context_tokens": 1}}, "forge.generation.context_tokens"),
        ({"http": {"port": 70_000}}, "forge.http.port"),
        ({"http": {"prot": 1}}, "forge.http.prot"),
        ({"model": "opus"}, "forge.model"),
        ({"runs": {"coalesce_s": 1}}, "forge.runs.coalesce_s"),
    ],
)
def test_a_wrong_setting_is_named_in_a_sentence(editor: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load(None, editor)
    assert caught.value.message.startswith(f"The setting {place} is wrong: ")
    assert caught.value.message.endswith(".")
    assert "Correct it" in caught.value.for_people()


def test_a_wrong_setting_of_forge_toml_is_named_too(workspace: Path) -> None:
    (workspace / "forge.toml").write_text('model.effort = "never"')
    with pytest.raises(InvalidRequest, match=r"forge\.model\.effort"):
        load(workspace)


@pytest.mark.parametrize("content", [b"model = [", b"\xff\xfe"], ids=["no TOML", "no UTF-8"])
def test_a_file_that_cant_be_read_is_named(content: bytes, workspace: Path) -> None:
    (workspace / "forge.toml").write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"forge\.toml can't be read"):
        load(workspace)


def test_a_folder_in_place_of_forge_toml_is_named(workspace: Path) -> None:
    (workspace / "forge.toml").mkdir()
    with pytest.raises(InvalidRequest, match=r"forge\.toml can't be read"):
        load(workspace)


def test_settings_dont_change_once_made() -> None:
    settings, _ = load()
    with pytest.raises(AttributeError, match="immutable"):
        settings.model.code = "other"  # type: ignore[misc]


def test_the_places_lie_under_the_home_that_is_named(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Places.find() == Places(home / "config", home / "state", home / "cache")
    assert Places.find(tmp_path / "mine").state == tmp_path / "mine/state"
    monkeypatch.delenv("FORGE_HOME")
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    found = Places.find()
    assert len({found.config, found.state, found.cache}) == 3
    assert all("forge-lsp" in str(place) for place in (found.config, found.state, found.cache))


def test_a_variable_that_is_no_json_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGE_HTTP_ALLOWED_HOSTS", "a,b")
    with pytest.raises(InvalidRequest, match="environment"):
        load()
