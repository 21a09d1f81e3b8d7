"""How each kind of package manager is called in a sandbox, and kept to the registry there."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forge_lsp.paths import ProjectPath
from forge_lsp.sandbox.installing import proxy
from forge_lsp.sandbox.installing.project import ManagerName
from forge_lsp.sandbox.isolation.confinement import TOOLS

CACHE = ".forge-cache"
"""In the folder that is installed into, which has more room than a sandbox's other places; files
whose names begin like this are nobody's business. It may be removed afterwards."""
_STORE = "/app/.forge-store"
"""pnpm links a package's files from here, which only works within one file system."""
_CACHE = f"/app/{CACHE}"


QUIET: Mapping[str, str] = {
    "BROWSER": "none",
    "DO_NOT_TRACK": "1",
    "NEXT_TELEMETRY_DISABLED": "1",
    "ASTRO_TELEMETRY_DISABLED": "1",
    "NO_UPDATE_NOTIFIER": "1",
    "npm_config_update_notifier": "false",
}
"""For a project's own scripts: in a sandbox there is no browser to open, and nobody to tell."""
BUN = "@oven/bun-linux-x64-baseline"
"""bun's binary for machines like E2B's; one that old processors run, too."""
PACKAGES: Mapping[ManagerName, str] = {
    "pnpm": "pnpm",
    "yarn": "yarn",
    "yarn-berry": "@yarnpkg/cli-dist",
    "bun": BUN,
}
"""Which package holds a package manager."""
_FILES: Mapping[ManagerName, Sequence[str]] = {
    # Since version 12 a program of the machine's own, which the module finds.
    "pnpm": ("bin/pnpm.mjs", "bin/pnpm.cjs"),
    "yarn": ("bin/yarn.js",),
    "yarn-berry": ("bin/yarn.js",),
    "bun": ("bin/bun",),
}
"""What may be run of the package; what it names itself is made by scripts, which don't run."""
_NO_CAUSE = ("npm error code", "npm error A c", "npm warn", "➤ YN0000")
"""How lines begin that only say that something failed."""


@dataclass(frozen=True, slots=True)
class Program:
    """How one kind of package manager is called."""

    name: str
    command: tuple[str, ...]
    """What starts it inside of a sandbox."""
    frozen: tuple[str, ...]
    """Installs what the lock file says."""
    install: tuple[str, ...]
    """Installs what package.json lists, where there is no lock file."""
    add: tuple[str, ...]
    """Installs what follows, and lists it."""
    flags: tuple[str, ...]
    """For each of these."""
    lenient: tuple[str, ...] = ()
    """For a second try, where packages disagree on what they need beside them."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    lock_with_hosts: ProjectPath | None = None
    """Its lock file, where that says which hosts are asked."""
    toolbox: Path | None = None
    """The folder with the program, to be seen at `TOOLS`; None where the machine has it."""

    def run(self, script: str) -> Sequence[str]:
        """What runs a script of package.json."""
        return (*self.command, "run", script)


def npm(node: Path, program: Path) -> Program:
    """The npm of this machine."""
    return Program(
        name="npm",
        command=(str(node), str(program)),
        frozen=("ci",),
        install=("install",),
        add=("install",),
        # npm warns of those that it is too old to know, and goes on.
        flags=(
            *("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
            *("--allow-git=none", "--allow-remote=none", "--allow-file=none"),
            *("--allow-directory=none", "--no-progress", f"--registry={proxy.URL}"),
            "--omit-lockfile-registry-resolved=true",
            # The proxy has its own patience; a second try of npm's would only wait for it twice.
            *("--fetch-retries=0", "--fetch-timeout=150000"),
            # The home folder is too small for the cache, and these two must not be found in it.
            *("--cache=/tmp/npm", "--userconfig=/tmp/user.npmrc"),
            "--globalconfig=/tmp/global.npmrc",
            "--loglevel=error",
        ),
        lenient=("--legacy-peer-deps",),
    )


def package_here(name: ManagerName) -> str:
    """Which package holds a package manager for this machine."""
    is_arm = platform.machine() in ("aarch64", "arm64")
    return "@oven/bun-linux-aarch64" if name == "bun" and is_arm else PACKAGES[name]


def places_in(name: ManagerName, package: str) -> Sequence[str]:
    """Where the program may be, from the folder that the package was installed into."""
    return [f"node_modules/{package}/{file}" for file in _FILES[name]]


def fetched(name: ManagerName, node: Path, toolbox: Path, script: str) -> Program:
    """A package manager whose package is in `toolbox`; `script` is its program, from there."""
    match name:
        case "pnpm":
            return _pnpm(node, toolbox, script)
        case "yarn":
            return _yarn(node, toolbox, script)
        case "yarn-berry":
            return _yarn_berry(node, toolbox, script)
        case "bun":
            return _bun(toolbox, script)
        case "npm":
            return npm(node, Path(script))


def _pnpm(node: Path, toolbox: Path, script: str) -> Program:
    return Program(
        name="pnpm",
        command=(str(node), f"{TOOLS}/{script}"),
        frozen=("install", "--frozen-lockfile"),
        install=("install", "--no-frozen-lockfile"),
        add=("add",),
        flags=(
            *("--ignore-scripts", f"--registry={proxy.URL}", f"--store-dir={_STORE}"),
            "--reporter=append-only",
        ),
        # Its versions read these under either name.
        environment=_environment(
            npm_config_cache="/tmp/pnpm",  # noqa: S108 - The sandbox's own.
            npm_config_store_dir=_STORE,
            pnpm_config_store_dir=_STORE,
            npm_config_verify_deps_before_run="false",
            pnpm_config_verify_deps_before_run="false",
        ),
        toolbox=toolbox,
    )


def _yarn(node: Path, toolbox: Path, script: str) -> Program:
    """Yarn 1."""
    return Program(
        name="Yarn",
        command=(str(node), f"{TOOLS}/{script}"),
        frozen=("install", "--frozen-lockfile"),
        install=("install",),
        add=("add",),
        flags=(
            *("--ignore-scripts", "--non-interactive", "--no-progress", "--ignore-engines"),
            *("--registry", proxy.URL, "--cache-folder", _CACHE),
        ),
        environment=_environment(),
        lock_with_hosts=ProjectPath.parse("yarn.lock"),
        toolbox=toolbox,
    )


def _yarn_berry(node: Path, toolbox: Path, script: str) -> Program:
    """Yarn 2 and later, which lays packages out as the others do, whatever it would do else."""
    return Program(
        name="Yarn",
        command=(str(node), f"{TOOLS}/{script}"),
        frozen=("install", "--immutable"),
        install=("install", "--no-immutable"),
        add=("add",),
        flags=(),
        environment=_environment(
            YARN_NPM_REGISTRY_SERVER=proxy.URL,
            YARN_UNSAFE_HTTP_WHITELIST="127.0.0.1",
            YARN_ENABLE_SCRIPTS="false",
            YARN_ENABLE_TELEMETRY="false",
            YARN_ENABLE_GLOBAL_CACHE="false",
            YARN_CACHE_FOLDER=_CACHE,
            YARN_NODE_LINKER="node-modules",
            YARN_IGNORE_PATH="1",
            YARN_HTTP_RETRY="0",
        ),
        toolbox=toolbox,
    )


def _bun(toolbox: Path, executable: str) -> Program:
    """The bun whose binary is at `executable` in `toolbox`."""
    return Program(
        name="bun",
        command=(f"{TOOLS}/{executable}",),
        frozen=("install", "--frozen-lockfile"),
        install=("install",),
        add=("add",),
        flags=(
            *("--ignore-scripts", f"--registry={proxy.URL}", "--backend=copyfile"),
            *("--no-progress", f"--cache-dir={_CACHE}"),
        ),
        environment=_environment(),
        toolbox=toolbox,
    )


def _environment(**more: str) -> Mapping[str, str]:
    return {"COREPACK_ENABLE_STRICT": "0", **more}


def reason_in(name: str, output: str) -> str:
    """What a program itself names as the cause: the first line that isn't just a code."""
    lines = [
        line.removeprefix("npm error ").removeprefix("error ").strip()
        for line in output.splitlines()
        if line.strip() and not line.startswith(_NO_CAUSE)
    ]
    named = [line for line in lines if "rror" in line or "ERR" in line or "fail" in line]
    return next(iter(named or lines), "")[:300] or f"{name} failed without saying why"
