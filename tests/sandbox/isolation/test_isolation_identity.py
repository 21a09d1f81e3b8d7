import os
import tempfile
from pathlib import Path

import pytest

from forge_lsp.sandbox.isolation.identity import SYSTEM_DATA_ROOT, Identity, choose_data_root

STRANGER = Identity(uid=60999, gid=60999)


def test_root_runs_sandboxes_as_somebody_else_and_others_as_themselves() -> None:
    identity = Identity.choose()
    assert identity.uid != 0
    assert identity.gid != 0 or os.getegid() == 0
    assert os.geteuid() in (0, identity.uid)


def test_a_shut_folder_is_out_of_a_strangers_reach(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert not STRANGER.reaches(tmp_path / "sandbox")
    assert Identity(os.geteuid(), os.getegid()).reaches(tmp_path / "sandbox")


def test_an_open_folder_is_reached_also_where_the_end_is_not_there_yet() -> None:
    assert STRANGER.reaches(Path("/usr/not-there/nor-this"))


def test_a_links_target_counts(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr")
    tmp_path.chmod(0o700)
    assert STRANGER.reaches(tmp_path / "link/bin")


def test_a_preferred_folder_that_can_be_reached_is_taken_and_made(tmp_path: Path) -> None:
    wanted = tmp_path / "cache/sandboxes"
    assert choose_data_root(wanted, Identity(os.geteuid(), os.getegid())) == wanted.resolve()
    assert wanted.is_dir()


def test_a_link_out_of_a_shut_folder_is_not_on_the_way_to_what_it_names(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    link = tmp_path / "link"
    with tempfile.TemporaryDirectory() as wanted:
        Path(wanted).chmod(0o755)
        link.symlink_to(wanted)
        chosen = choose_data_root(link / "sandboxes", Identity.choose())
        assert chosen == Path(wanted).resolve() / "sandboxes"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's home is shut to its own sandboxes")
def test_roots_sandboxes_go_where_they_can_be_reached(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert choose_data_root(tmp_path / "cache", Identity.choose()) == SYSTEM_DATA_ROOT
    assert Identity.choose().reaches(SYSTEM_DATA_ROOT / "any")
