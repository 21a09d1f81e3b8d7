import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.errors import PathRefused
from forge_lsp.paths import MAX_COMPONENT_BYTES, MAX_PATH_BYTES, PROTECTED, ProjectPath, is_allowed

REFUSED = {
    "empty": ("", "it is empty"),
    "absolute": ("/etc/passwd", "not relative"),
    "doubly absolute": ("//server/share", "not relative"),
    "a home": ("~/notes.md", "not relative"),
    "another's home": ("~root/.profile", "not relative"),
    "the parent": ("..", "it leaves the project"),
    "up": ("../sibling.ts", "it leaves the project"),
    "up in the middle": ("src/../../x.ts", "it leaves the project"),
    "up and down again": ("src/../x.ts", "it leaves the project"),
    "up at the end": ("src/..", "it leaves the project"),
    "only a dot": (".", "it names no file"),
    "only slashes and dots": ("././", "it names no file"),
    "a folder": ("src/", "it names no file"),
    "a drive": ("C:/x.ts", "it holds the character ':'"),
    "a stream of NTFS": ("x.ts:hidden", "it holds the character ':'"),
    "a backslash": ("src\\x.ts", "it holds the character"),
    "up by backslashes": ("..\\..\\x.ts", "it holds the character"),
    "NUL": ("src/x\x00.ts", "it holds the character"),
    "a line feed": ("src/x\n.ts", "it holds the character"),
    "escape": ("src/\x1b[2Jx.ts", "it holds the character"),
    "delete": ("src/x\x7f.ts", "it holds the character"),
    "a line separator": ("src/x\u2028.ts", "it holds the character"),
    "a surrogate": ("src/\ud800.ts", "it holds the character"),
    "a wildcard": ("src/*.ts", "it holds the character"),
    "a tag": ("src/<x>.ts", "it holds the character"),
    "too long": ("/".join(["a" * 200] * 6), f"longer than {MAX_PATH_BYTES} bytes"),
    "a long name": ("a" * (MAX_COMPONENT_BYTES + 1), f"longer than {MAX_COMPONENT_BYTES} bytes"),
    "a long name in bytes": ("ä" * 128, f"longer than {MAX_COMPONENT_BYTES} bytes"),
    "a dot at the end": ("src/x.ts.", "a dot at its end"),
    "a space at the end": ("src /x.ts", "a space at an end"),
    "a space at the start": ("src/ x.ts", "a space at an end"),
    "dots": ("src/.../x.ts", "a dot at its end"),
    "the environment": (".env", ".env is protected"),
    "the environment, local": (".env.local", ".env.local is protected"),
    "the environment, nested": ("packages/app/.env.production", "is protected"),
    "the environment, shouted": (".ENV", ".ENV is protected"),
    "direnv": (".envrc", ".envrc is protected"),
}


@pytest.mark.parametrize(("text", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_a_path_is_refused_with_the_rule_that_it_breaks(text: str, rule: str) -> None:
    with pytest.raises(PathRefused) as caught:
        ProjectPath.parse(text)
    assert rule in caught.value.message
    assert caught.value.code == "path_refused"
    assert not is_allowed(text)


@pytest.mark.parametrize("name", sorted(PROTECTED))
@pytest.mark.parametrize("place", ["{}", "{}/config", "src/{}", "a/b/{}/c", "./{}", "a//{}"])
def test_a_protected_place_is_refused_in_any_case_wherever_it_stands(name: str, place: str) -> None:
    for spelling in (name, name.upper(), name.title(), name.swapcase()):
        assert not is_allowed(place.format(spelling))


@pytest.mark.parametrize(
    "name", ["con", "CON", "prn", "aux", "nul", "Nul.txt", "com1", "COM9.tar.gz", "lpt0", "lpt²"]
)
def test_a_device_of_windows_is_refused_wherever_it_stands(name: str) -> None:
    for text in (name, f"src/{name}", f"{name}/x.ts"):
        with pytest.raises(PathRefused, match="device name"):
            ProjectPath.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "src/App.tsx",
        ".gitignore",
        ".github/workflows/ci.yml",
        "environment.ts",
        "src/env.d.ts",
        "console.ts",
        "com10/x",
        "node_modules_list.md",
        "src/[id]/page.tsx",
        "src/(group)/page.tsx",
        "src/@modal/page.tsx",
        "a b/c d.txt",
        "größe/日本.tsx",
        "a~b",
        "-rf",
        "a..b/..c",
    ],
)
def test_a_usual_path_is_taken_as_it_is(text: str) -> None:
    assert ProjectPath.parse(text) == text


@pytest.mark.parametrize(
    "text", ["./src/App.tsx", "src//App.tsx", "src/./App.tsx", ".//src/././/App.tsx"]
)
def test_a_path_has_one_normal_form(text: str) -> None:
    assert ProjectPath.parse(text) == "src/App.tsx"


def test_a_path_knows_its_name_and_its_ending() -> None:
    path = ProjectPath.parse("src/Button.Stories.TSX")
    assert (path.name, path.suffix) == ("Button.Stories.TSX", ".tsx")
    assert ProjectPath.parse("src/Makefile").suffix == ""


def test_a_refusal_shows_a_long_or_odd_path_briefly_and_in_ascii() -> None:
    with pytest.raises(PathRefused) as caught:
        ProjectPath.parse("\x1b[31m" + "ü" * 5000)
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 600


def test_a_place_under_a_root_may_not_exist_yet(tmp_path: Path) -> None:
    assert ProjectPath.parse("a/b/c.ts").under(tmp_path) == tmp_path.resolve() / "a/b/c.ts"


def test_a_link_that_leads_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-2"
    root.mkdir()
    outside.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file.ts").symlink_to(outside / "file.ts")
    (root / "up").symlink_to("..")
    for text in ("folder", "folder/x.ts", "file.ts", "up/other.ts"):
        with pytest.raises(PathRefused, match="symbolic link"):
            ProjectPath.parse(text).under(root)


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert ProjectPath.parse("link/x.ts").under(tmp_path) == tmp_path.resolve() / "link/x.ts"


def test_a_root_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    place = ProjectPath.parse("x.ts").under(tmp_path / "root")
    assert place == tmp_path.resolve() / "real/x.ts"


HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            ["..", ".", "/", "//", "~", "\\", ":", "\x00", ".git", ".GIT", ".env", "nul", " ", "a"]
        ),
        st.text(st.characters(), max_size=5),
    ),
    max_size=12,
).map("".join)


@given(HOSTILE)
def test_whatever_is_parsed_is_refused_or_stays_under_the_root(text: str) -> None:
    try:
        path = ProjectPath.parse(text)
    except PathRefused:
        assert not is_allowed(text)
        return
    root = Path("/nowhere/project")
    place = Path(os.path.normpath(path.under(root)))
    assert place.is_relative_to(root)
    assert place != root
    assert "//" not in path
    assert not {part.lower() for part in path.split("/")} & (PROTECTED | {"", ".", ".."})


def test_a_tilde_is_refused_however_it_is_led_up_to() -> None:
    for text in ("~x", "./~x", "././~"):
        with pytest.raises(PathRefused):
            ProjectPath.parse(text)


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(PathRefused):
        ProjectPath.parse("a/file.ts").under(tmp_path)
