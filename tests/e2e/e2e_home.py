"""A person's home: everything that forge-lsp and the tools keep is in there, and nothing else."""

import os
from dataclasses import dataclass
from pathlib import Path

_OTHERS = ("FORGE_", "ANTHROPIC_", "XDG_", "NVIM", "VIM")


@dataclass(frozen=True, slots=True)
class Home:
    """A folder to live in; the prepared template is shared with the other tests."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, cache: Path) -> "Home":
        """An empty home, whose FORGE_HOME has `cache` in the place of its own."""
        (folder / "forge").mkdir(parents=True)
        (folder / "forge/cache").symlink_to(cache)
        return cls(folder)

    def environment(self, **settings: str) -> dict[str, str]:
        """What a process of this person's is started with; `settings` by their variables' names."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
        own = {
            "HOME": str(self.folder),
            **{
                f"XDG_{each}": str(self.folder / each.lower())
                for each in ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR")
            },
            "FORGE_HOME": str(self.folder / "forge"),
            "FORGE_MODEL_PROVIDER": "demo",
            "FORGE_MODEL_DEMO_PACE_S": "0.001",
            "FORGE_SANDBOX_POOL_SIZE": "0",
            "FORGE_SANDBOX_SCREENSHOTS": "false",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            # How packages are reached is the machine's affair, not this person's.
            "NPM_CONFIG_USERCONFIG": str(Path.home() / ".npmrc"),
            "LC_ALL": "C.UTF-8",
        }
        return {**kept, **own, **settings}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path in there."""
    return {
        place.relative_to(folder).as_posix(): place.read_bytes()
        for place in folder.rglob("*")
        if place.is_file()
    }


def fill(folder: Path, files: dict[str, bytes]) -> None:
    """Write every file into `folder`."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
