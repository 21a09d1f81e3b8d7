"""Projects that run by their own package.json, with the real package managers."""

import json
from pathlib import Path

import pytest
from project_files import PAGE, Contents, plain

from forge_lsp.errors import SandboxFailed
from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.instance import LocalSandbox
from forge_lsp.sandbox.local import LocalProvider

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(600)]

MS_INTEGRITY = (
    "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/"
    "XXP6tz7R9xAOtHnSO/tXtF3WRTlA=="
)
LOCKS = {
    "npm": {
        "package-lock.json": json.dumps(
            {
                "name": "plain",
                "lockfileVersion": 3,
                "requires": True,
                "packages": {
                    "": {"name": "plain", "dependencies": {"ms": "2.1.3"}},
                    "node_modules/ms": {"version": "2.1.3", "integrity": MS_INTEGRITY},
                },
            }
        ).encode()
    },
    "pnpm": {
        "pnpm-lock.yaml": f"""lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      ms:
        specifier: 2.1.3
        version: 2.1.3

packages:

  ms@2.1.3:
    resolution: {{integrity: {MS_INTEGRITY}}}

snapshots:

  ms@2.1.3: {{}}
""".encode()
    },
    "Yarn": {
        "yarn.lock": f"""# yarn lockfile v1


ms@2.1.3:
  version "2.1.3"
  resolved "https://packages.example.test/ms/-/ms-2.1.3.tgz#574c8138ce1d2b5861f0b44579dbadd60c6615b2"
  integrity {MS_INTEGRITY}
""".encode()
    },
    "bun": {
        "bun.lock": json.dumps(
            {
                "lockfileVersion": 1,
                "workspaces": {"": {"name": "plain", "dependencies": {"ms": "2.1.3"}}},
                "packages": {"ms": ["ms@2.1.3", "", {}, MS_INTEGRITY]},
            }
        ).encode()
    },
}


async def made(
    provider: LocalProvider, contents: dict[str, bytes], stages: list[str] | None = None
) -> LocalSandbox:
    on_stage = print if stages is None else stages.append
    sandbox = await provider.create(on_stage, Contents(contents))
    assert isinstance(sandbox, LocalSandbox)
    return sandbox


async def page_of(sandbox: LocalSandbox) -> str:
    return (await sandbox._server.get("/")).body.decode()


@pytest.mark.parametrize("manager", LOCKS)
async def test_the_lock_files_package_manager_installs_and_starts_it(
    provider: LocalProvider, manager: str
) -> None:
    contents = {**plain(), **LOCKS[manager]}
    stages: list[str] = []
    sandbox = await made(provider, contents, stages)
    assert any(f"packages with {manager}" in stage for stage in stages), stages
    assert not any("could not be followed" in stage for stage in stages), stages
    assert PAGE in await page_of(sandbox)
    assert set(await sandbox.files()) == set(contents)
    for path, content in contents.items():
        assert await sandbox.read(ProjectPath.parse(path)) == content

    report = await sandbox.install(["clsx@2.1.1"])
    assert [each.name for each in report.installed] == ["clsx"], report
    listed = json.loads(await sandbox.read(ProjectPath.parse("package.json")))
    assert listed["dependencies"]["clsx"].lstrip("^") == "2.1.1"


async def test_the_later_yarn_installs_in_a_way_that_all_programs_know(
    provider: LocalProvider,
) -> None:
    contents = plain(packageManager="yarn@4.9.1")
    sandbox = await made(provider, contents)
    assert PAGE in await page_of(sandbox)
    report = await sandbox.install(["clsx@2.1.1"])
    assert [each.name for each in report.installed] == ["clsx"], report


async def test_a_lock_file_that_does_not_fit_is_said_and_done_without(
    provider: LocalProvider,
) -> None:
    lock = LOCKS["npm"]["package-lock.json"].replace(b"2.1.3", b"2.1.2")
    stages: list[str] = []
    sandbox = await made(provider, {**plain(), "package-lock.json": lock}, stages)
    assert any("package-lock.json could not be followed" in stage for stage in stages), stages
    assert PAGE in await page_of(sandbox)


async def test_packages_that_are_not_there_are_named(provider: LocalProvider) -> None:
    contents = plain(dependencies={"forge-lsp-there-is-no-such-package": "1.0.0"})
    with pytest.raises(SandboxFailed, match="forge-lsp-there-is-no-such-package"):
        await made(provider, contents)
    assert not provider._sandboxes


async def test_a_dev_script_that_ends_is_told_with_its_last_words(provider: LocalProvider) -> None:
    contents = {
        **plain(dependencies={}),
        "server.js": b"console.error('no database here'); process.exit(3);\n",
    }
    with pytest.raises(SandboxFailed, match="no database here"):
        await made(provider, contents)


async def test_scripts_of_an_install_never_run(provider: LocalProvider, tmp_path: Path) -> None:
    hostile = {
        "dev": "node server.js",
        "preinstall": "touch /app/ran",
        "postinstall": "touch /app/ran",
        "prepare": "touch /app/ran",
    }
    sandbox = await made(provider, plain(scripts=hostile))
    assert "ran" not in await sandbox.files()


async def test_it_sees_neither_the_network_nor_the_package_manager_as_its_own(
    provider: LocalProvider,
) -> None:
    spy = b"""const fs = require("fs"), http = require("http"), found = {};
const tried = (name, act) => {
  try { act(); found[name] = "done"; } catch (e) { found[name] = e.code; }
};
tried("tools", () => fs.writeFileSync("/opt/forge/x", ""));
tried("hosts", () => fs.writeFileSync("/etc/hosts", ""));
tried("home", () => fs.readdirSync("/root"));
const ask = http.get("http://127.0.0.1:4873/ms", () => (found.registry = "answers"));
ask.on("error", (e) => (found.registry = e.code));
http.createServer((_, a) => a.setHeader("content-type", "text/html").end(JSON.stringify(found)))
  .listen(4321);
"""
    lock = LOCKS["pnpm"]
    sandbox = await made(provider, {**plain(), **lock, "server.js": spy})
    found = json.loads(await page_of(sandbox))
    assert found == {
        "tools": "EROFS",
        "hosts": "EROFS",
        "home": "ENOENT",
        "registry": "ECONNREFUSED",
    }


async def test_the_template_gives_way_to_a_workspace_that_is_made_of_it(
    provider: LocalProvider,
) -> None:
    template = await provider.template()
    contents = {str(path): content for path, content in template.items()}
    del contents["src/index.css"], contents["package-lock.json"]
    contents["src/main.tsx"] = b'import "./App";\n'
    contents["src/own.ts"] = b"export {};\n"
    sandbox = await made(provider, contents)
    assert set(await sandbox.files()) == {*contents, "package-lock.json"}
    assert await sandbox.read(ProjectPath.parse("src/main.tsx")) == contents["src/main.tsx"]
