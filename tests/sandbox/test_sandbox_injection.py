"""Where the reporter is put into a document, however that comes."""

import pytest

from forge_lsp.sandbox.reporter.injection import MAX_HELD_BYTES, Injection

TAG = b"<script></script>"


def injected(document: bytes, size: int) -> bytes:
    injection = Injection(TAG)
    pieces = [document[at : at + size] for at in range(0, len(document), size)]
    return b"".join([*map(injection.feed, pieces), injection.end()])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<!doctype html><html><head>", b"<title>x</title></head><body></body></html>"),
        (b"<!DOCTYPE html>\n<html lang='en'>\n  <HEAD data-x=\"a>b\">", b"\n<meta charset=utf-8>"),
        (b"<!doctype html>\n", b"<title>x</title><p>no head"),
        (b"<!doctype html><html>", b"<header>not a head</header>"),
        (b"<!-- <head> --><!doctype html><head>", b"<p>"),
        (b"\xef\xbb\xbf<!doctype html>", b"<body>"),
        (b"", b"plain text with <head> in it"),
        (b"<head>", b""),
        (b"<!doctype html>", b""),
        (b"", b"<!-- that never ends <head>"),
        (b"<html>", b"<head"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_tag_comes_before_every_element(before: bytes, after: bytes, size: int) -> None:
    assert injected(before + after, size) == before + TAG + after


def test_what_has_begun_passes_at_once() -> None:
    injection = Injection(TAG)
    assert injection.feed(b"<!doctype html><ht") == b""
    assert injection.feed(b"ml><head>") == b"<!doctype html><html><head>" + TAG
    assert injection.feed(b"<title>") == b"<title>"
    assert injection.end() == b""


def test_a_document_that_never_begins_is_not_held_for_ever() -> None:
    injection = Injection(TAG)
    assert TAG in injection.feed(b"<!--" + b"x" * MAX_HELD_BYTES)
    assert injection.feed(b"more") == b"more"
