"""Loaded by schemathesis: what our own formats hold."""

import schemathesis
from hypothesis import strategies as st

_PART = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_é", min_size=1, max_size=12)

schemathesis.openapi.format("project-path", st.lists(_PART, min_size=1, max_size=4).map("/".join))
schemathesis.openapi.format("npm-package", st.sampled_from(["react", "@types/node", "lodash@^4"]))
schemathesis.openapi.format("page-cursor", st.sampled_from(["MSBh", "MTc2NDM2NDgwMzIyNiBhcHBfeA"]))
