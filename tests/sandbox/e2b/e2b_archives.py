"""Archives, unpacked by the system's own program: `tarfile` of Python 3.11.2 lacks the filters that
later versions ask for."""

import subprocess
from pathlib import Path


def unpack(archive: bytes, into: Path) -> None:
    """Unpack a tar archive, compressed or not, into a folder, which is made where it lacks."""
    into.mkdir(parents=True, exist_ok=True)
    compressed = ["-z"] if archive.startswith(b"\x1f\x8b") else []
    subprocess.run(["tar", *compressed, "-xm", "-C", into], input=archive, check=True)
