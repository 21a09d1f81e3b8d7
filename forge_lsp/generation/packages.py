"""Packages: which ones code imports, and which names npm would accept."""

import re
from collections.abc import Iterator

_NODE_BUILTINS = re.compile(
    r"assert|async_hooks|buffer|child_process|cluster|console|constants|crypto|dgram"
    r"|diagnostics_channel|dns|domain|events|fs|http|http2|https|inspector|module|net|os|path"
    r"|perf_hooks|process|punycode|querystring|readline|repl|stream|string_decoder|sys|timers"
    r"|tls|trace_events|tty|url|util|v8|vm|wasi|worker_threads|zlib"
)
"""Modules that Node has itself, which it also takes without their `node:`."""

_MAX_NAME = 214
_NAME = re.compile(r"(?:@[a-z0-9][a-z0-9-._~]*/)?[a-z0-9][a-z0-9-._~]*")
"""Narrower than npm's own rule: a name that begins with a dash would be an option to a command."""
_RANGE = re.compile(r"[\w.^~<>=|*+ -]{1,64}")
_REFUSED = frozenset({"node_modules", "favicon.ico"})

_SCRIPT = frozenset({"ts", "tsx", "js", "jsx", "mts", "cts", "mjs", "cjs"})
_STYLE = frozenset({"css", "scss", "less"})

_SCRIPT_TOKEN = re.compile(
    r"""
    (?P<skipped> //[^\n]* | /\*(?s:.*?)(?:\*/|\Z) | `[^`\\]*(?:\\(?s:.)[^`\\]*)*(?:`|\Z) )
    | "(?P<double>[^"\\\n]*)" | '(?P<single>[^'\\\n]*)'
    | (?P<word>[A-Za-z_$][\w$]*+)
    | (?P<mark>\\. | [^\s\w])
    """,
    re.VERBOSE,
)
_STYLE_TOKEN = re.compile(
    r"""
    /\*(?s:.*?)(?:\*/|\Z)
    | @(?:import|plugin|reference)\s+(?:url\(\s*)?["']?(?P<name>[^"'()\s;]+)
    | "[^"\n]*" | '[^'\n]*'
    """,
    re.VERBOSE,
)


def is_package_name(name: str) -> bool:
    """Whether npm would take `name` for a new package."""
    return bool(_NAME.fullmatch(name)) and len(name) <= _MAX_NAME and name not in _REFUSED


def is_package_spec(spec: str) -> bool:
    """Whether `spec` is a package's name, perhaps with `@` and a version, a range or a tag."""
    at = spec.find("@", 1)
    if at < 0:
        return is_package_name(spec)
    return is_package_name(spec[:at]) and bool(_RANGE.fullmatch(spec[at + 1 :]))


def imported_packages(path: str, content: str) -> tuple[str, ...]:
    """The npm packages that a file imports, each once, in the order of their first import.

    Knows scripts (`import`, `export … from`, `import()`, `require()`) and style sheets
    (`@import`, and Tailwind's `@plugin` and `@reference`) by the path's ending; other files
    import nothing. Comments, and strings that merely look like imports, don't count.
    """
    ending = path.rpartition(".")[2].lower()
    if ending in _SCRIPT:
        found = _script_imports(content)
    elif ending in _STYLE:
        found = _style_imports(content)
    else:
        return ()
    return tuple(dict.fromkeys(name for name in map(_package, found) if name))


def _script_imports(content: str) -> Iterator[str]:
    """What stands as a string behind `import`, `from`, `import(` or `require(`."""
    before, last = "", ""
    in_statement = False
    for token in _SCRIPT_TOKEN.finditer(content):
        if token["skipped"] is not None:
            continue
        text = token["double"] if token["double"] is not None else token["single"]
        if text is None:
            before, last = last, token["word"] or token["mark"]
            if last in ("import", "export") and before != ".":
                in_statement = True
            elif last in (";", "="):
                in_statement = False
            continue
        is_call = last == "(" and before in ("import", "require")
        is_statement = in_statement and last in ("import", "from")
        if is_call or is_statement:
            yield text
        in_statement = False
        before, last = last, "string"


def _style_imports(content: str) -> Iterator[str]:
    for token in _STYLE_TOKEN.finditer(content):
        name = token["name"]
        # Beside a style sheet, `theme.css` is a file; with a folder it may be in a package.
        if name and ("/" in name or not name.endswith((".css", ".scss", ".less"))):
            yield name


def _package(specifier: str) -> str:
    """The package that a module's name leads to; empty where it leads to none."""
    parts = re.split(r"[?#]", specifier, maxsplit=1)[0].split("/")
    name = "/".join(parts[:2]) if specifier.startswith("@") else parts[0]
    # `src/…` is the project's own folder for a bundler with a base URL.
    if not is_package_name(name) or _NODE_BUILTINS.fullmatch(name) or name == "src":
        return ""
    return name
