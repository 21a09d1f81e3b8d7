"""Skills: critiques, which look at code and say what they find, and augmenters, which change it.

A skill is a text: TOML between two lines of `+++`, and under it what the model is to do. Who wrote
it, we or somebody else, decides how the model is told of it and nothing else: no text can widen
what a skill may do.
"""

import json
import re
import tomllib
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

from forge_lsp.errors import InvalidRequest
from forge_lsp.paths import ProjectPath, is_allowed

Kind = Literal["critique", "augmenter"]
Origin = Literal["built_in", "account", "workspace"]

MAX_SKILL_CHARACTERS = 40_000
"""Of the whole text."""
MAX_TITLE_CHARACTERS = 100
MAX_DESCRIPTION_CHARACTERS = 500
MAX_TAGS = 16
MAX_TAG_CHARACTERS = 40
MAX_FILES = 12
MAX_ARGS_CHARACTERS = 20_000
"""Of arguments as JSON."""

_ALIAS = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FENCE = "+++"
_FIELDS = frozenset({"title", "description", "kind", "tags", "files", "sample_args"})
_NOT_SAID = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_HOW = (
    'Begin it with a line of +++, `title = "…"`, `description = "…"`, `kind = "critique"` or '
    '"augmenter", and another line of +++; what the model is to do stands below.'
)


@dataclass(frozen=True, slots=True)
class Skill:
    """What a model can be asked to do with a project, by a short name."""

    alias: str
    title: str
    description: str
    kind: Kind
    prompt: str
    tags: tuple[str, ...] = ()
    files: tuple[ProjectPath, ...] = ()
    """Those that it has to see wherever a project has them."""
    sample_args: str = ""
    """A JSON value; empty where none was given."""
    origin: Origin = "built_in"

    @property
    def is_custom(self) -> bool:
        """Whether somebody else than we wrote it."""
        return self.origin != "built_in"

    @property
    def listed(self) -> str:
        """Its alias, marked where it is custom."""
        return f"{self.alias} (custom)" if self.is_custom else self.alias


def parse_skill(alias: str, text: str, origin: Origin) -> Skill:
    """The skill that a file's text holds; raises `InvalidRequest`, which names the file and what
    is wrong with it."""
    name = _name(alias, origin)
    if len(text) > MAX_SKILL_CHARACTERS:
        raise _wrong(name, f"it is longer than {MAX_SKILL_CHARACTERS:,} characters")
    header, prompt = _parts(name, text.replace("\r\n", "\n").removeprefix("\ufeff"))
    try:
        fields = tomllib.loads(header)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(name, f"its head isn't TOML: {str(error)[:200]}") from error
    if unknown := sorted(fields.keys() - _FIELDS):
        known = ", ".join(sorted(_FIELDS))
        raise _wrong(name, f"its head has a field {unknown[0][:80]!a}; known are {known}")
    return checked_skill(
        Skill(
            alias=alias,
            title=_text_field(name, fields, "title"),
            description=_text_field(name, fields, "description"),
            kind=cast("Kind", _text_field(name, fields, "kind")),
            prompt=prompt,
            tags=_list_field(name, fields, "tags"),
            files=tuple(_path(name, each) for each in _list_field(name, fields, "files")),
            sample_args=_as_json(name, fields.get("sample_args")),
            origin=origin,
        )
    )


def checked_skill(skill: Skill) -> Skill:
    """The skill, in text that can be shown; raises `InvalidRequest` where it can't be taken."""
    name = _name(skill.alias, skill.origin)
    if not _ALIAS.fullmatch(skill.alias):
        raise _wrong(name, "its name may hold a-z, 0-9 and hyphens only, at most 64 of them")
    if skill.kind not in get_args(Kind):
        raise _wrong(name, f"its kind is {skill.kind[:40]!a} and not critique or augmenter")
    title, description = _on_one_line(skill.title), _on_one_line(skill.description)
    prompt = _sayable(skill.prompt).strip()
    sizes = (
        ("title", title, MAX_TITLE_CHARACTERS),
        ("description", description, MAX_DESCRIPTION_CHARACTERS),
        ("prompt", prompt, MAX_SKILL_CHARACTERS),
    )
    for what, value, most in sizes:
        if not value:
            raise _wrong(name, f"it has no {what}")
        if len(value) > most:
            raise _wrong(name, f"its {what} is longer than {most:,} characters")
    tags = tuple(_on_one_line(tag) for tag in skill.tags)
    if len(tags) > MAX_TAGS or any(not 0 < len(tag) <= MAX_TAG_CHARACTERS for tag in tags):
        limits = f"{MAX_TAGS} tags of at most {MAX_TAG_CHARACTERS} characters"
        raise _wrong(name, f"it may have {limits}")
    if len(skill.files) > MAX_FILES:
        raise _wrong(name, f"it may name {MAX_FILES} files")
    if len(skill.sample_args) > MAX_ARGS_CHARACTERS:
        raise _wrong(name, f"its sample_args are longer than {MAX_ARGS_CHARACTERS:,} characters")
    return replace(skill, title=title, description=description, prompt=prompt, tags=tags)


def args_text(args: object) -> str:
    """Arguments as they are told to the model; empty for none. Raises `InvalidRequest`."""
    if args is None or args in ({}, [], ""):
        return ""
    try:
        text = json.dumps(args, ensure_ascii=False, allow_nan=False, indent=2)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("The arguments aren't plain JSON.") from error
    if len(text) > MAX_ARGS_CHARACTERS:
        raise InvalidRequest(
            f"The arguments are longer than {MAX_ARGS_CHARACTERS:,} characters.",
            remedy="Put long text into a file of the project.",
        )
    return _sayable(text)


def _name(alias: str, origin: Origin) -> str:
    shown = alias if alias.isprintable() and len(alias) <= 80 else ascii(alias[:80])
    return f".forge/skills/{shown}.md" if origin == "workspace" else f"The skill {shown}"


def _wrong(name: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{name} can't be used: {what}.")


def _parts(name: str, text: str) -> tuple[str, str]:
    lines = text.split("\n")
    fences = [index for index, line in enumerate(lines) if line.rstrip() == _FENCE]
    if len(fences) < 2 or fences[0] != 0:
        raise InvalidRequest(f"{name} can't be used: it has no head.", remedy=_HOW)
    return "\n".join(lines[1 : fences[1]]), "\n".join(lines[fences[1] + 1 :])


def _text_field(name: str, fields: dict[str, Any], field: str) -> str:
    value = fields.get(field, "")
    if not isinstance(value, str):
        raise _wrong(name, f"its {field} isn't a text")
    return value


def _list_field(name: str, fields: dict[str, Any], field: str) -> tuple[str, ...]:
    value: object = fields.get(field, [])
    if not isinstance(value, list):
        raise _wrong(name, f"its {field} aren't a list of texts")
    items = cast("list[object]", value)
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise _wrong(name, f"its {field} aren't a list of texts")
    return texts


def _path(name: str, text: str) -> ProjectPath:
    if not is_allowed(text):
        raise _wrong(name, f"it names the file {text[:80]!a}, which is no path in a project")
    return ProjectPath.parse(text)


def _as_json(name: str, value: object) -> str:
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong(name, "its sample_args have no form in JSON") from error


def _on_one_line(text: str) -> str:
    return " ".join(_sayable(text).split())


def _sayable(text: str) -> str:
    """In characters that can be stored and shown."""
    return _NOT_SAID.sub("", text.encode(errors="replace").decode())
