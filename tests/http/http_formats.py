"""Loaded by schemathesis: what our own formats hold."""

import json
from typing import Any

import schemathesis
from hypothesis import strategies as st

_PART = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_é", min_size=1, max_size=12)

schemathesis.openapi.format("project-path", st.lists(_PART, min_size=1, max_size=4).map("/".join))
schemathesis.openapi.format("npm-package", st.sampled_from(["react", "@types/node", "lodash@^4"]))
schemathesis.openapi.format("page-cursor", st.sampled_from(["MSBh", "MTc2NDM2NDgwMzIyNiBhcHBfeA"]))
schemathesis.openapi.format("augmenter", st.sampled_from(["seo", "a11y"]))
schemathesis.openapi.format("entity-tag", st.just("*"))
schemathesis.openapi.format("web-address", st.just("https://example.com/a.png"))
schemathesis.openapi.format("preview-url", st.just("http://127.0.0.1/sb_1/"))


@schemathesis.deserializer("application/x-ndjson")
def last_line(_context: object, response: Any) -> Any:
    """The schema is that of one line."""
    return json.loads(response.content.splitlines()[-1])
