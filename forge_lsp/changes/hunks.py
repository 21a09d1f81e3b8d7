"""Hunks: the places in which two texts differ, line by line."""

import msgspec


class Hunk(msgspec.Struct, frozen=True):
    """One run of lines that differ. Line numbers are 0-based; lines end at LF alone."""

    before_start: int
    before_count: int
    after_start: int
    after_count: int
