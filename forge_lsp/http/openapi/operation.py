"""How a route is described: what it takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

JSON = "application/json"
EVENTS = "text/event-stream"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a query, or a header."""

    meaning: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    is_required: bool = False


PAGE = {
    "limit": Parameter(
        "How many; at most 100 are given.",
        {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    ),
    "cursor": Parameter(
        "The page before's `nextCursor`.", {"type": "string", "format": "page-cursor"}
    ),
}
"""What a list's query may have."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    summary: str
    tag: str
    answer: type[BaseModel] | None = None
    """The JSON of 200; None where it is a stream or something else than JSON."""
    events: type[BaseModel] | None = None
    """What its stream says, where 200 is one."""
    media_type: str = JSON
    """Of 200; a stream of NDJSON is there as EVENTS, too."""
    body: type[BaseModel] | None = None
    example: Mapping[str, Any] | None = None
    """A body."""
    is_body_required: bool = True
    query: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    """By name."""
    headers: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    """By name: what a request may bring."""
    gives: Mapping[str, str] = field(default_factory=dict[str, str])
    """The headers of what goes well, by name: what they mean."""
    id_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    """Of an id in the path."""
    failures: Mapping[int, str] = field(default_factory=dict[int, str])
    """By status: when, beside what may happen to every request."""
    status: int = 200
    """Of what goes well."""
    also: int | None = None
    """Another status with the same answer."""
