"""Files in Markdown code blocks: what a weak model writes instead of the tagged format.

A block is a file only where it names its path with certainty; whatever leaves room for doubt is
dropped, with the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from forge_lsp.generation.lines import lines_of
from forge_lsp.generation.reply import BodyStarted, Draft, Dropped, ReplyEvent, WholeFile
from forge_lsp.generation.tags import MAX_TAG_CHARACTERS, path_of_broken_tag
from forge_lsp.paths import ProjectPath, is_allowed

_SHELLS = frozenset({"bash", "sh", "shell", "zsh", "console", "terminal", "powershell", "cmd"})
_MARKDOWN = frozenset({".md", ".mdx", ".markdown"})

_FENCE = re.compile(r"(`{3,}|~{3,})([^`\n]*)\n?")
_INFO_TITLE = re.compile(r"(?:title|filename|file|path|name)=[\"']?([^\"'\s]+)")
_LIST_MARK = re.compile(r"\A(?:(?:#{1,6}|[-*+]|\d{1,3}[.)])\s+)+")
_LABEL = re.compile(r"\W*(?:file ?name|file ?path|file|path)\W*[:=]\W*", re.IGNORECASE)
_NAME = re.compile(r"[\w@.()\[\]$/-]+\.[A-Za-z][A-Za-z0-9]{0,9}")
_IN_THE_ROOT = re.compile(
    r".+\.(?:html|json|toml|ya?ml|md|webmanifest)|[\w-]+\.config\.[cm]?[jt]s|robots\.txt"
)

_COMMENTS = (
    (re.compile(r"//+(.*)"), "ts tsx js jsx mts cts mjs cjs scss less jsonc go rs java"),
    (re.compile(r"/\*+(.*)\*/"), "ts tsx js jsx mts cts mjs cjs scss less jsonc go rs java css"),
    (re.compile(r"\{\s*/\*+(.*)\*/\s*\}"), ""),
    (re.compile(r"<!--(.*)-->"), "html htm svg xml vue svelte"),
    (re.compile(r"#+(.*)"), "py sh rb yaml yml toml graphql"),
)
"""How a first line may name its file, and the endings for which such a line is a comment."""


@dataclass(slots=True)
class _CodeBlock:
    mark: str
    info: str
    above: str
    """The line right above, or above one blank line."""
    lines: list[str] = field(default_factory=list[str])
    is_closed: bool = False

    @property
    def language(self) -> str:
        return re.split(r"[\s:{]", self.info, maxsplit=1)[0].lower()


def fenced_files(text: str) -> list[ReplyEvent]:
    """The files that the code blocks of `text` name; a block at its end may be a draft."""
    files: dict[ProjectPath, str] = {}
    unclear: dict[ProjectPath, Dropped] = {}
    events: list[ReplyEvent] = []
    for block in _code_blocks(text):
        if block.language in _SHELLS:
            continue
        found = _file_in(block)
        if not isinstance(found, WholeFile):
            events.append(found)
        elif files.setdefault(found.path, found.content) != found.content:
            unclear[found.path] = Dropped(found.path, "the reply shows it in different forms")
    for path, content in files.items():
        if path not in unclear:
            events += [BodyStarted(path, "create"), WholeFile(path, content)]
    return [*unclear.values(), *events]


def _code_blocks(text: str) -> Iterator[_CodeBlock]:
    block: _CodeBlock | None = None
    above = ""
    blanks = 0
    for line in lines_of(text):
        fence = _FENCE.fullmatch(line)
        if block is None:
            if fence:
                block = _CodeBlock(fence[1], fence[2].strip(), above)
                above = ""
            elif line.strip():
                above, blanks = line.strip(), 0
            else:
                blanks += 1
                above = above if blanks == 1 else ""
        elif fence and fence[1].startswith(block.mark) and not fence[2].strip():
            block.is_closed = True
            yield block
            block = None
        else:
            block.lines.append(line)
    if block is not None:
        yield block


def _file_in(block: _CodeBlock) -> WholeFile | Draft | Dropped:
    first = block.lines[0].strip() if block.lines else ""
    names = {
        name.removeprefix("./")
        for name in (
            _name_in_info(block.info),
            _name_in_heading(block.above),
            _name_in_first_line(first),
        )
        if name
    }
    placed = {name for name in names if "/" in name or _IN_THE_ROOT.fullmatch(name)}
    if not names:
        return Dropped("", "a code block doesn't say which file it is")
    if len(placed) != 1:
        reason = "names more than one file" if placed else "names its file without a folder"
        return Dropped(min(placed or names), f"its code block {reason}")
    name = placed.pop()
    if not is_allowed(name):
        return Dropped(name, "its path isn't allowed")
    path = ProjectPath.parse(name)
    lines = block.lines[1:] if _is_no_comment(first, path) else block.lines
    content = "".join(lines)
    if path.suffix in _MARKDOWN and len(block.mark) == 3:
        return Dropped(path, "a code block in it would end it too early")
    if not block.is_closed:
        return Draft(path, content)
    if not content.strip():
        return Dropped(path, "its code block is empty")
    return WholeFile(path, content)


def _name_in_info(info: str) -> str:
    """From `tsx src/App.tsx`, `tsx title="src/App.tsx"`, `tsx:src/App.tsx` or `src/App.tsx`."""
    titled = _INFO_TITLE.search(info)
    if titled:
        return _name(titled[1])
    words = info.replace(":", " ").split()
    return next((name for name in map(_name, words) if name), "")


def _name_in_heading(line: str) -> str:
    """From a line that is just the path, however it is set off."""
    if len(line) > MAX_TAG_CHARACTERS:
        return ""
    return _name(_unlabelled(_LIST_MARK.sub("", line, count=1)).strip("*`\"' :"))


def _name_in_first_line(line: str) -> str:
    if len(line) > MAX_TAG_CHARACTERS:
        return ""
    if broken := path_of_broken_tag(line):
        return broken
    for comment, _ in _COMMENTS:
        if found := comment.fullmatch(line):
            return _name(_unlabelled(found[1]).strip("*`\"' :"))
    return ""


def _is_no_comment(line: str, path: ProjectPath) -> bool:
    """Whether `line` names the file in a way that the file's language doesn't know."""
    if not _name_in_first_line(line):
        return False
    ending = path.suffix.removeprefix(".")
    return not any(
        comment.fullmatch(line) and ending in endings.split() for comment, endings in _COMMENTS
    )


def _unlabelled(text: str) -> str:
    return _LABEL.sub("", text, count=1) if _LABEL.match(text) else text


def _name(text: str) -> str:
    return text if _NAME.fullmatch(text) else ""
