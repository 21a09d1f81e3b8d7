"""What kind of project a workspace holds, read off its files alone."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.installing.project import (
    Managed,
    Project,
    listed_packages,
    lock_files,
    recognise,
)
from forge_lsp.sandbox.template import template_files

TEMPLATE = template_files()["package.json"]
NEXT = {"scripts": {"dev": "next dev"}, "dependencies": {"next": "16.0.0"}}


def found(manifest: object, locks: dict[str, bytes] | None = None) -> Project | None:
    contents = {ProjectPath.parse(path): text for path, text in (locks or {}).items()}
    paths = [*contents, ProjectPath.parse("package.json")]
    return recognise(paths, json.dumps(manifest).encode(), contents, TEMPLATE)


def managed(manifest: object, locks: dict[str, bytes] | None = None) -> Managed:
    project = found(manifest, locks)
    assert project is not None
    return project.managed


def changed(**groups: dict[str, str]) -> dict[str, Any]:
    manifest = json.loads(TEMPLATE)
    for group, entries in groups.items():
        manifest[group] |= entries
    return manifest


def test_what_is_made_of_the_template_runs_as_the_template_does() -> None:
    assert recognise([], TEMPLATE, {}, TEMPLATE) is None
    assert recognise([], None, {}, TEMPLATE) is None
    assert found(changed(dependencies={"d3": "^7.0.0"})) is None
    fewer = json.loads(TEMPLATE)
    del fewer["dependencies"]["zustand"]
    assert found(fewer) is None


@pytest.mark.parametrize(
    "manifest",
    [
        changed(dependencies={"react": "^18.0.0"}),
        changed(scripts={"dev": "vite --port 3000"}),
        {"scripts": {"dev": "vite"}, "dependencies": {"react": "19.3.1"}},
        NEXT,
    ],
)
def test_what_the_template_does_not_fit_runs_by_itself(manifest: object) -> None:
    project = found(manifest)
    assert project is not None
    assert project.script == "dev"


def test_the_likeliest_script_starts_it() -> None:
    scripts = {"serve": "a", "start": "b", "build": "c"}
    project = found({"scripts": scripts})
    assert project is not None
    assert project.script == "start"
    assert found({"scripts": {"build": "c"}}) is None
    assert found({}) is None


@pytest.mark.parametrize(
    ("locks", "expected"),
    [
        ({}, ("npm", "", None)),
        ({"package-lock.json": b"{}"}, ("npm", "", "package-lock.json")),
        ({"pnpm-lock.yaml": b"lockfileVersion: '9.0'\n"}, ("pnpm", "", "pnpm-lock.yaml")),
        ({"pnpm-lock.yaml": b"lockfileVersion: '6.0'\n"}, ("pnpm", "8", "pnpm-lock.yaml")),
        ({"pnpm-lock.yaml": b"lockfileVersion: 5.4\n"}, ("pnpm", "7", "pnpm-lock.yaml")),
        ({"yarn.lock": b"# yarn lockfile v1\n"}, ("yarn", "1", "yarn.lock")),
        ({"yarn.lock": b"# made\n\n__metadata:\n  version: 8\n"}, ("yarn-berry", "", "yarn.lock")),
        ({"bun.lock": b"{}"}, ("bun", "", "bun.lock")),
        ({"bun.lockb": b"\x00"}, ("bun", "", "bun.lockb")),
    ],
)
def test_the_lock_file_tells_the_package_manager(
    locks: dict[str, bytes], expected: tuple[str, str, str | None]
) -> None:
    got = managed(NEXT, locks)
    assert (got.name, got.wanted, got.lock) == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("pnpm@9.15.4", ("pnpm", "9.15.4")),
        ("pnpm@9.15.4+sha512.abc", ("pnpm", "9.15.4")),
        ("yarn@1.22.22", ("yarn", "1.22.22")),
        ("yarn@4.1.0", ("yarn-berry", "4.1.0")),
        ("bun@1.2.3", ("bun", "1.2.3")),
        ("npm@11.0.0", ("npm", "11.0.0")),
        ("pnpm@../../evil", ("npm", "")),
        ("evil@1.0.0", ("npm", "")),
        ("pnpm@9", ("npm", "")),
        (["pnpm@9.15.4"], ("npm", "")),
        ("pnpm@" + "9" * 1_000, ("npm", "")),
    ],
)
def test_a_package_manager_that_is_named_is_taken_if_it_is_one(
    named: object, expected: tuple[str, str]
) -> None:
    got = managed({**NEXT, "packageManager": named})
    assert (got.name, got.wanted) == expected


def test_a_named_package_manager_takes_its_own_lock_file_only() -> None:
    locks = {"package-lock.json": b"{}", "pnpm-lock.yaml": b"lockfileVersion: '9.0'\n"}
    assert managed({**NEXT, "packageManager": "pnpm@9.15.4"}, locks).lock == "pnpm-lock.yaml"
    assert managed({**NEXT, "packageManager": "bun@1.2.3"}, locks).lock is None


def test_lock_files_are_those_of_the_root() -> None:
    paths = [ProjectPath.parse(each) for each in ("a/yarn.lock", "bun.lock", "src/App.tsx")]
    assert lock_files(paths) == ["bun.lock"]


def test_listed_packages_are_those_with_a_text_for_a_range() -> None:
    manifest = {"dependencies": {"a": "^1", "b": 2}, "devDependencies": {"c": "3"}, "x": {"d": "4"}}
    assert listed_packages(json.dumps(manifest).encode()) == ["a@^1", "c@3"]
    for broken in (b"", b"[]", b"{", b"[" * 100_000, b'{"dependencies": []}', b"\xff"):
        assert listed_packages(broken) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["scripts", "dependencies", "devDependencies", "packageManager"]),
        json_values,
    ),
    st.binary(),
)
def test_no_manifest_and_no_lock_file_is_too_much(manifest: object, lock: bytes) -> None:
    found(manifest, {"pnpm-lock.yaml": lock, "yarn.lock": lock})
