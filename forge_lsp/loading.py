"""Reads the settings.

Nearest first: what the editor sends, the environment (`FORGE_<GROUP>_<NAME>`), `forge.toml` in
the workspace, `config.toml` in the user's config folder, the defaults. A workspace file is
somebody else's word: it may only set what `WORKSPACE_MAY_SET` lists. Secrets come from the
environment or the keyring, never from a file.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec

from forge_lsp.errors import InvalidRequest
from forge_lsp.settings import Group, Places, Secret, Settings

KEYRING_SERVICE = "forge-lsp"

WORKSPACE_MAY_SET = frozenset(
    {
        "model.code",
        "model.select",
        "model.plan",
        "model.review",
        "model.augment",
        "model.skill",
        "model.summarise",
        "model.effort",
        "model.max_output_tokens",
        "generation.context_tokens",
        "generation.recent_messages",
        "generation.by_hand_tokens",
        "generation.max_continuations",
    }
)
"""What `forge.toml` may set: nothing that runs a command, names a server, loosens a limit, or
spares somebody else's workspace the review."""


def load(
    workspace: Path | None = None,
    editor: Mapping[str, Any] | None = None,
    *,
    ask_keyring: bool = True,
) -> tuple[Settings, Sequence[str]]:
    """Read every source and merge them, the nearer over the farther.

    `editor` is what the client sent for the section `forge`. The second of the pair tells, for
    people, what `forge.toml` asked for and wasn't given. Raises `InvalidRequest`, whose message
    names the setting that is wrong. Who needs no model's key can leave the keyring alone, which
    is slow to ask.
    """
    asked = _read_toml(workspace / "forge.toml") if workspace else {}
    granted = {name: value for name, value in _leaves(asked) if name in WORKSPACE_MAY_SET}
    notes = [
        f"forge.toml can't set {name}: set it in your own settings instead."
        for name, _ in _leaves(asked)
        if name not in granted
    ]
    merged: Mapping[str, Any] = {}
    for layer in (
        _without_secrets(_read_toml(Places.find().config / "config.toml")),
        _nested(granted),
        _of_other_tools(),
        _of_environment(),
        _without_secrets(editor or {}),
    ):
        merged = _merged(merged, layer)
    try:
        settings = msgspec.convert(merged, Settings, strict=False, dec_hook=_secret)
    except msgspec.ValidationError as error:
        place, what = _explained(error)
        raise InvalidRequest(
            f"The setting forge.{place} is wrong: {what}.",
            remedy="Correct it in your editor's settings, the environment or forge.toml.",
        ) from error
    return _with_keys_in_keyring(settings) if ask_keyring else settings, notes


def _with_keys_in_keyring(settings: Settings) -> Settings:
    model, sandbox = settings.model, settings.sandbox
    if model.api_key is None and (key := _key_in_keyring("anthropic")):
        model = msgspec.structs.replace(model, api_key=Secret(key))
    wants_key = sandbox.provider == "e2b" and sandbox.e2b_api_key is None
    if wants_key and (key := _key_in_keyring("e2b")):
        sandbox = msgspec.structs.replace(sandbox, e2b_api_key=Secret(key))
    return msgspec.structs.replace(settings, model=model, sandbox=sandbox)


def _merged(far: Mapping[str, Any], near: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(far)
    for name, value in near.items():
        below = both.get(name)
        deeper = isinstance(below, Mapping) and isinstance(value, Mapping)
        both[name] = _merged(cast("Any", below), cast("Any", value)) if deeper else value
    return both


def _of_environment() -> dict[str, Any]:
    """`FORGE_<GROUP>_<NAME>`, and `FORGE_<NAME>` for what is in no group; an empty one is none."""
    found: dict[str, Any] = {}
    kinds = get_type_hints(Settings)
    groups = {name: kind for name, kind in kinds.items() if isinstance(kind, type(Group))}
    for variable, value in os.environ.items():
        if not variable.startswith("FORGE_") or not value:
            continue
        name = variable.removeprefix("FORGE_").lower()
        group, _, field = name.partition("_")
        if group in groups and field:
            kind = get_type_hints(groups[group]).get(field)
            found.setdefault(group, {})[field] = _from_text(variable, value, kind)
        elif name in kinds and name not in groups:
            found[name] = value
    return found


def _from_text(variable: str, value: str, kind: Any) -> Any:
    if get_origin(kind) not in (tuple, Mapping):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            f"The variable {variable} of the environment can't be read: {error}.",
            remedy="Lists are written as JSON, as in FORGE_HTTP_ALLOWED_HOSTS='[\"a\"]'.",
        ) from error


def _secret(kind: type, value: object) -> Secret:
    if kind is not Secret or not isinstance(value, str):
        raise TypeError("Expected a text")
    return Secret(value)


def _explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """Which setting is wrong, and what is wrong with it."""
    what, _, path = str(error).partition(" - at `$.")
    place = path.rstrip("`")
    if what.startswith("Object contains unknown field"):
        return f"{place}.{what.split('`')[1]}", "there is no such setting"
    if what.startswith("Invalid enum value") and (choices := _choices(place)):
        what = f"it may be {' or '.join(choices)}"
    return place, what[0].lower() + what[1:]


def _choices(place: str) -> list[str]:
    """What may stand there, where that is one of a few words."""
    kind: Any = Settings
    for name in place.split("."):
        kind = get_type_hints(kind)[name]
    literals = (kind, *get_args(kind))
    return [
        f'"{word}"' for each in literals if get_origin(each) is Literal for word in get_args(each)
    ]


def _of_other_tools() -> dict[str, Any]:
    """The variables that the users of anthropic's and E2B's SDKs already have set."""
    found = {
        "model.base_url": os.environ.get("ANTHROPIC_BASE_URL"),
        "model.api_key": os.environ.get("ANTHROPIC_API_KEY"),
        "sandbox.e2b_domain": os.environ.get("E2B_DOMAIN"),
        "sandbox.e2b_api_key": os.environ.get("E2B_API_KEY"),
    }
    return _nested({name: value for name, value in found.items() if value})


def _key_in_keyring(name: str) -> str | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, name)
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
    for group, secret in (("model", "api_key"), ("sandbox", "e2b_api_key")):
        if isinstance(kept.get(group), Mapping):
            kept[group] = {name: value for name, value in kept[group].items() if name != secret}
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
