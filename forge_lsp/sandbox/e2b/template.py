"""Building the template of our sandboxes at E2B: once for each account and each version of it."""

import io
import shlex
import tarfile
import tempfile
from pathlib import Path

from e2b import AsyncTemplate, LogEntry, TemplateClass, wait_for_url

from forge_lsp.ports.sandbox import StageSink
from forge_lsp.sandbox import template
from forge_lsp.sandbox.e2b.calls import Calls
from forge_lsp.sandbox.e2b.cloud import Cloud, scripts, template_name
from forge_lsp.sandbox.e2b.files import APP, OWN
from forge_lsp.sandbox.e2b.managers import registry_url
from forge_lsp.sandbox.e2b.preview import PORT
from forge_lsp.settings import SandboxSettings, Settings

NODE = "22"
USER = "user"
HOME = f"/home/{USER}"
RETRIES = 5
"""A build is long, and one question about its progress that fails must not end it."""
_ARCHIVE = "forge.tar"


async def build_template(settings: Settings, on_stage: StageSink) -> str:
    """Build the template that sandboxes are made from, and give its name.

    Takes a minute or two; `on_stage` is told of each step. Raises `SandboxFailed`.
    """
    sandbox = settings.sandbox
    cloud = Cloud.of(sandbox)
    calls = Calls(cloud, attempts=1, max_delay_s=0)
    name = template_name(sandbox)
    with tempfile.TemporaryDirectory(prefix="forge-lsp-e2b-") as folder:
        (Path(folder) / _ARCHIVE).write_bytes(packed(sandbox, cloud.domain))
        build = AsyncTemplate.build
        await calls.make(
            f"building the template {name}",
            lambda: build(
                _instructions(Path(folder), sandbox),
                name,
                cpu_count=sandbox.e2b_cpus,
                memory_mb=sandbox.memory_mb,
                on_build_logs=lambda entry: _tell(entry, on_stage, cloud),
                **{**cloud.parameters, "retries": RETRIES},
            ),
        )
    return name


def packed(settings: SandboxSettings, domain: str) -> bytes:
    """An archive of what a sandbox's home folder holds beside its packages."""
    files = template.template_files()
    lock = template.locked_to(registry_url(settings), files[template.LOCK_FILE])
    files = {f"{APP}/{path}": content for path, content in files.items()}
    files[f"{APP}/{template.LOCK_FILE}"] = lock
    files |= {f"{OWN}/{name}": content for name, content in scripts().items()}
    files[f"{OWN}/allowed-hosts"] = f".{domain}".encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def install_command(settings: SandboxSettings) -> str:
    """What fetches the template's packages, in the home folder."""
    registry = shlex.quote(f"--registry={registry_url(settings)}")
    return f"cd {APP} && npm ci --ignore-scripts --no-audit --no-fund {registry}"


def _instructions(folder: Path, settings: SandboxSettings) -> TemplateClass:
    return (
        AsyncTemplate(file_context_path=folder)
        .from_node_image(NODE)
        .set_user(USER)
        .set_workdir(HOME)
        .copy(_ARCHIVE, f"{HOME}/", user=USER)
        .run_cmd(f"tar -xmf {_ARCHIVE} && rm {_ARCHIVE}")
        .run_cmd(install_command(settings))
        # A module answers when the packages are bundled, which the first visitor is spared then.
        .set_start_cmd(
            f"sh {OWN}/dev-server.sh", wait_for_url(f"http://localhost:{PORT}/src/main.tsx")
        )
    )


def _tell(entry: LogEntry, on_stage: StageSink, cloud: Cloud) -> None:
    if message := entry.message.strip():
        on_stage(cloud.hide_key(message))
