"""Package names and manifests as an attacker would write them."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.errors import PackageRefused
from forge_lsp.sandbox.installing.packages import PackageRequest, check_manifest


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("react", "react", ""),
        ("@types/react", "@types/react", ""),
        ("react@19.3.1", "react", "19.3.1"),
        ("@types/react@^19", "@types/react", "^19"),
        ("react@latest", "react", "latest"),
        ("react@>=18 <20", "react", ">=18 <20"),
        ("react@18 || 19.x", "react", "18 || 19.x"),
        ("react@1.2.3 - 2.0.0", "react", "1.2.3 - 2.0.0"),
        ("react@>= 18.0.0-rc.1+build.5", "react", ">= 18.0.0-rc.1+build.5"),
        ("react@*", "react", "*"),
        ("lodash.debounce", "lodash.debounce", ""),
    ],
)
def test_a_name_with_a_range_or_a_tag_is_taken(text: str, name: str, wanted: str) -> None:
    request = PackageRequest.parse(text)
    assert (request.name, request.wanted) == (name, wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-g",
        "--global",
        "@-g/x",
        "@scope/-g",
        ".hidden",
        "_private",
        "@.scope/x",
        "@scope/.x",
        "@scope/_x",
        "..",
        "../evil",
        "./evil",
        "/etc/passwd",
        "~/evil",
        "React",
        "re act",
        "react\n--global",
        "react\x00",
        "réact",
        "a" * 215,
        "@scope",
        "@scope/",
        "@scope/a/b",
        "a/b",
        "https://example.test/x.tgz",
        "git+ssh://git@example.test/x.git",
        "github:user/repo",
        "user/repo",
        "file:../x",
        "node_modules",
        "react@",
        "react@npm:evil",
        "react@npm:evil@1.0.0",
        "react@https://example.test/x.tgz",
        "react@git+https://example.test/x.git",
        "react@github:user/repo",
        "react@user/repo",
        "react@file:../x",
        "react@link:../x",
        "react@workspace:*",
        "react@../x",
        "react@~/x",
        "react@1.0.0 --global",
        "react@$(id)",
        "react@" + "1" * 300,
    ],
)
def test_anything_but_a_registry_package_is_refused(text: str) -> None:
    with pytest.raises(PackageRefused):
        PackageRequest.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        request = PackageRequest.parse(text)
    except PackageRefused:
        return
    assert not request.name.startswith(("-", ".", "_"))
    assert ":" not in str(request)
    assert ".." not in request.name.split("/")


@pytest.mark.parametrize("piece", ["1 ", "1  ", ">= ", "=v", "x.", "1-a.", "| ", "1||"])
def test_a_hostile_range_is_judged_in_linear_time(piece: str) -> None:
    began = time.process_time()
    with pytest.raises(PackageRefused):
        PackageRequest.parse("react@" + (piece * 256)[:250] + "!")
    assert time.process_time() - began < 1


def test_the_refusal_names_the_package_without_its_control_characters() -> None:
    with pytest.raises(PackageRefused) as refused:
        PackageRequest.parse("react\x1b[31m" + "x" * 500)
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 300


def manifest(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def test_an_honest_manifest_is_taken() -> None:
    check_manifest(
        manifest(
            name="app",
            dependencies={"react": "^19.0.0", "@scope/x": "latest", "any": ""},
            devDependencies={"vite": "8.3.8"},
            overrides={"react": "$react", "x": {".": "1.0.0", "y@1": "2.0.0"}},
        )
    )


@pytest.mark.parametrize(
    "field", ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]
)
@pytest.mark.parametrize(
    "wanted",
    ["npm:evil@1", "file:/etc", "link:..", "git+ssh://x/y", "user/repo", "http://x/y.tgz", 1, {}],
)
def test_a_manifest_with_anything_but_registry_packages_is_refused(
    field: str, wanted: object
) -> None:
    with pytest.raises(PackageRefused, match="react"):
        check_manifest(manifest(**{field: {"react": wanted}}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"dependencies": []}',
        b'{"dependencies": {"../../x": "1"}}',
        b'{"dependencies": {"-g": "1"}}',
        b'{"workspaces": ["../*"]}',
        b'{"overrides": {"react": "npm:evil@1"}}',
        b'{"overrides": {"a": {"b": {".": "file:../x"}}}}',
        b'{"overrides": {"react": "$../x"}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b" " * 1_000_001,
    ],
)
def test_a_manifest_that_is_broken_or_hostile_is_refused(content: bytes) -> None:
    with pytest.raises(PackageRefused):
        check_manifest(content)
