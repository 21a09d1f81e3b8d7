import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_lsp.changes.sets import FileChange
from forge_lsp.changes.unified import unified_diff
from forge_lsp.paths import ProjectPath


def change(
    before: bytes | None, after: bytes | None, path: str = "src/my file é.tsx"
) -> FileChange:
    return FileChange(ProjectPath.parse(path), before, after)


def applied(folder: Path, it: FileChange) -> bytes | None:
    """What git makes of the file with the patch of `it`."""
    place = it.path.under(folder)
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    if it.before is not None:
        place.write_bytes(it.before)
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        input=unified_diff([it]).encode(),
        cwd=folder,
        check=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CEILING_DIRECTORIES": str(folder.parent)},
    )
    return place.read_bytes() if place.exists() else None


lines = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"--- x\n", b"\xc2\x85\n", b"end"]),
    max_size=30,
)
contents = st.none() | lines.map(b"".join)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents, contents)
def test_git_makes_after_of_before_with_it(
    tmp_path: Path, before: bytes | None, after: bytes | None
) -> None:
    if before != after:
        assert applied(tmp_path, change(before, after)) == after


def test_distant_changes_stand_in_hunks_of_their_own() -> None:
    before = b"".join(b"%d\n" % n for n in range(20))
    after = before.replace(b"3\n", b"three\n", 1).replace(b"\n17\n", b"\nseventeen\n")
    assert unified_diff([change(before, after, "a.txt")]) == (
        "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n"
        "@@ -1,7 +1,7 @@\n 0\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n"
        "@@ -15,6 +15,6 @@\n 14\n 15\n 16\n-17\n+seventeen\n 18\n 19\n"
    )


def test_a_missing_final_newline_is_said() -> None:
    assert unified_diff([change(None, b"a", "a.txt")]).endswith(
        "@@ -0,0 +1,1 @@\n+a\n\\ No newline at end of file\n"
    )


@pytest.mark.parametrize("content", [b"\x89PNG\xff\n", b"a\0b\n"])
def test_a_binary_file_is_only_named(content: bytes) -> None:
    assert unified_diff([change(None, content, "a.png")]) == (
        "diff --git a/a.png b/a.png\nnew file mode 100644\n"
        "Binary files /dev/null and b/a.png differ\n"
    )


def test_a_decided_file_is_left_out() -> None:
    assert unified_diff([change(b"a\n", b"a\n"), change(None, None)]) == ""
