"""Which versions of a package are old enough."""

import json
from typing import Any

import pytest

from forge_lsp.sandbox.installing import packuments

NEW_YEAR = 1767225600.0
DAYS = {"1.0.0": "2025-01-01", "1.1.0": "2025-06-01", "2.0.0": "2026-02-01"}


def document(days: dict[str, str], tags: dict[str, str], **more: Any) -> bytes:
    versions = {
        number: {
            "name": "pkg",
            "version": number,
            "dist": {
                "tarball": f"https://elsewhere.test/pkg-{number}.tgz",
                "integrity": "sha512-x",
            },
            "scripts": {"postinstall": "evil"},
            "dependencies": {"a": "1"},
        }
        for number in days
    }
    times = {number: f"{day}T00:00:00.000Z" for number, day in days.items()}
    whole = {"name": "pkg", "dist-tags": tags, "versions": versions, "time": times} | more
    return json.dumps(whole).encode()


def test_young_versions_are_left_out_and_latest_points_to_the_newest_left() -> None:
    whole = packuments.decode("pkg", document(DAYS, {"latest": "2.0.0", "old": "1.0.0"}))
    old = packuments.published_before(whole, NEW_YEAR)
    assert set(old.versions) == {"1.0.0", "1.1.0"}
    assert old.tags == {"latest": "1.1.0", "old": "1.0.0"}


def test_a_version_without_a_date_counts_as_young() -> None:
    days = document(DAYS, {"latest": "2.0.0"})
    undated = json.loads(days)
    del undated["time"]["1.1.0"]
    whole = packuments.decode("pkg", json.dumps(undated).encode())
    assert set(packuments.published_before(whole, NEW_YEAR).versions) == {"1.0.0"}


def test_latest_never_points_to_a_prerelease_or_to_a_later_version() -> None:
    days = {"1.9.0": "2025-01-01", "1.10.0-rc.1": "2025-02-01", "3.0.0": "2025-03-01"}
    whole = packuments.decode(
        "pkg", document(days | {"1.10.0": "2026-02-01"}, {"latest": "1.10.0"})
    )
    assert packuments.published_before(whole, NEW_YEAR).tags == {"latest": "1.9.0"}


def test_a_prerelease_tag_falls_back_in_the_order_of_semver() -> None:
    days = {f"2.0.0-rc.{each}": "2025-01-01" for each in (2, 9, 10)}
    whole = packuments.decode(
        "pkg", document(days | {"2.0.0-rc.11": "2026-02-01"}, {"next": "2.0.0-rc.11"})
    )
    assert packuments.published_before(whole, NEW_YEAR).tags == {"next": "2.0.0-rc.10"}


def test_a_tag_whose_versions_are_all_young_is_gone() -> None:
    whole = packuments.decode("pkg", document({"1.0.0": "2026-02-01"}, {"latest": "1.0.0"}))
    old = packuments.published_before(whole, NEW_YEAR)
    assert not old.versions
    assert not old.tags


def test_an_abbreviated_document_that_has_long_been_unchanged_is_old_enough() -> None:
    whole = packuments.decode(
        "pkg", document(DAYS, {"latest": "2.0.0"}, time={}, modified="2025-12-01T00:00:00Z")
    )
    assert whole.knows_ages_before(NEW_YEAR)
    assert set(packuments.published_before(whole, NEW_YEAR).versions) == set(DAYS)


def test_an_abbreviated_document_that_changed_lately_does_not_tell_ages() -> None:
    whole = packuments.decode("pkg", document(DAYS, {}, time={}, modified="2026-02-01T00:00:00Z"))
    assert not whole.knows_ages_before(NEW_YEAR)


def test_what_is_served_names_only_our_tarballs_and_no_scripts() -> None:
    whole = packuments.decode("pkg", document(DAYS, {"latest": "2.0.0"}))
    served = json.loads(packuments.encode(whole, "http://127.0.0.1:1"))
    assert served["dist-tags"] == {"latest": "2.0.0"}
    version = served["versions"]["1.0.0"]
    assert version["dist"]["tarball"] == "http://127.0.0.1:1/pkg/-/pkg-1.0.0.tgz"
    assert version["dependencies"] == {"a": "1"}
    assert "scripts" not in version
    assert "time" not in served


def test_a_scoped_tarball_has_the_short_name() -> None:
    assert packuments.tarball_path("@a/b", "1.0.0+x") == "/@a/b/-/b-1.0.0%2Bx.tgz"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"name": "other"}',
        b'{"name": "pkg", "versions": []}',
        b'{"name": "pkg",',
    ],
)
def test_anything_but_the_package_asked_for_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec's errors are ValueErrors, each of its own.
        packuments.decode("pkg", data)


def test_versions_that_lie_about_themselves_are_dropped() -> None:
    lying = json.loads(document(DAYS, {"latest": "2.0.0"}))
    lying["versions"]["2.0.0"]["name"] = "other"
    lying["versions"]["1.1.0"]["version"] = "9.9.9"
    lying["versions"]["../../x"] = lying["versions"]["1.0.0"] | {"version": "../../x"}
    whole = packuments.decode("pkg", json.dumps(lying).encode())
    assert set(whole.versions) == {"1.0.0"}
    assert not whole.tags
