"""Yarn 1's lock files with other hosts than they name."""

from hypothesis import given
from hypothesis import strategies as st

from forge_lsp.sandbox.installing.lock_hosts import pin

REGISTRY = "http://127.0.0.1:4873"
LOCK = b"""# yarn lockfile v1


a@1:
  version "1.0.0"
  resolved "https://one.example.test/a/-/a-1.0.0.tgz#abc"

"@s/b@^2":
  version "2.0.0"
  resolved "https://two.example.test:8443/@s/b/-/b-2.0.0.tgz"
"""


def test_every_entry_names_the_registry_and_gets_its_host_back() -> None:
    pinned = pin(LOCK, REGISTRY)
    assert b"example.test" not in pinned.content
    assert b'resolved "http://127.0.0.1:4873/a/-/a-1.0.0.tgz#abc"' in pinned.content
    assert pinned.restored(pinned.content) == LOCK


def test_a_new_entry_gets_the_host_that_the_others_have() -> None:
    new = b'\nc@3:\n  version "3.0.0"\n  resolved "http://127.0.0.1:4873/c/-/c-3.0.0.tgz#d"\n'
    pinned = pin(LOCK, REGISTRY)
    restored = pinned.restored(pinned.content + new)
    assert restored == LOCK + new.replace(REGISTRY.encode(), b"https://one.example.test")


def test_without_a_lock_file_there_is_no_host_to_give_back() -> None:
    made = pin(LOCK, REGISTRY).content
    assert pin(b"", REGISTRY).restored(made) == made


@given(st.binary(), st.binary())
def test_no_lock_file_is_too_much(before: bytes, after: bytes) -> None:
    pinned = pin(before, REGISTRY)
    assert pinned.restored(pinned.content) == before or REGISTRY.encode() in before
    pinned.restored(after)
