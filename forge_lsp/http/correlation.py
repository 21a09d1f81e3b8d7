"""Which request and which run the code that is running now belongs to, for the log.

The tasks that a request starts inherit its id, a run's own task among them. Nothing heavy is
imported here: the log is set up before anything else.
"""

import asyncio
import re
from collections.abc import Mapping
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_RUN_ID = re.compile(r"\brun_[0-9a-f]{20}\b")


def belongs_to(request_id: str) -> None:
    """Say that what runs in this context from now on belongs to this request."""
    _request_id.set(request_id)


def ids(message: str) -> Mapping[str, str]:
    """The `request_id` and `run_id` of what says `message` now, as far as there are any."""
    found = {"request_id": _request_id.get(), "run_id": _run_id(message)}
    return {name: value for name, value in found.items() if value}


def _run_id(message: str) -> str:
    # A run's task and those that serve it carry its id in their names.
    try:
        task = asyncio.current_task()
    except RuntimeError:
        # Outside of any event loop.
        task = None
    for text in (task.get_name() if task else "", message):
        if found := _RUN_ID.search(text):
            return found.group()
    return ""
