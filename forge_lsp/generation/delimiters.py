"""Setting text apart in a prompt, so that nothing in it can pass for what stands around it."""

import re

_RUN = re.compile(r"~{4,}")


def fenced(content: str, label: str = "") -> str:
    """`content` between two lines of tildes, of which it has no run as long; `label` behind the
    first."""
    longest = max((len(run) for run in _RUN.findall(content)), default=3)
    fence = "~" * (longest + 1)
    end = "" if content.endswith("\n") or not content else "\n"
    return f"{fence} {label}".rstrip() + f"\n{content}{end}{fence}"
