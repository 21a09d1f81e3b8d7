"""What the template ships."""

import json
import re

import pytest

from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.installing.packages import check_manifest
from forge_lsp.sandbox.template import LOCK_FILE, digest, locked_to, template_files


def test_it_holds_a_whole_project_and_nothing_that_was_installed() -> None:
    files = template_files()
    assert {"index.html", "package.json", LOCK_FILE, "vite.config.ts", "src/App.tsx"} <= set(files)
    assert not [path for path in files if "node_modules" in path]


@pytest.mark.parametrize("path", sorted(template_files()))
def test_every_file_may_be_written_into_a_workspace(path: str) -> None:
    assert ProjectPath.parse(path) == path


def test_its_manifest_has_exact_versions_and_would_be_taken_from_a_model() -> None:
    content = template_files()["package.json"]
    check_manifest(content)
    manifest = json.loads(content)
    for wanted in (manifest["dependencies"] | manifest["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", wanted)


def test_its_lock_names_no_host_and_lacks_no_platform() -> None:
    content = template_files()[LOCK_FILE]
    packages = json.loads(content)["packages"]
    assert not [place for place in packages if "resolved" in packages[place]]
    for place, package in packages.items():
        assert not place or package["integrity"].startswith("sha512-")
        wanted = package.get("dependencies", {}) | package.get("optionalDependencies", {})
        for name in wanted:
            nested, hoisted = f"{place}/node_modules/{name}", f"node_modules/{name}"
            assert nested in packages or hoisted in packages, f"{name}, of {place}"


def test_a_lock_can_be_bound_to_one_registry() -> None:
    packages = json.loads(locked_to("http://r:1", template_files()[LOCK_FILE]))["packages"]
    types = packages["node_modules/@types/react"]
    assert types["resolved"] == f"http://r:1/@types/react/-/react-{types['version']}.tgz"
    assert "resolved" not in packages[""]


def test_its_digest_changes_with_any_file() -> None:
    files = template_files()
    assert digest(files) == digest(dict(reversed(files.items())))
    assert digest(files) != digest(files | {"index.html": b""})
    assert digest({"a": b"bc"}) != digest({"ab": b"c"})
