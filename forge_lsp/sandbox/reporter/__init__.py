"""The script that a preview's pages are given, which tells us what goes wrong on them.

It runs in the model's page, so whatever it tells may as well be made up by the page.
"""

from functools import cache
from importlib import resources

SCRIPT_PATH = "/__forge/reporter.js"
REPORT_PATH = "/__forge/happened"
OWN_PATHS = "/__forge/"
"""What begins so is the relay's own, and never reaches the dev server."""
TAG = f'<script src="{SCRIPT_PATH}"></script>'.encode()
"""A classic script, so that it runs before anything that follows it."""


@cache
def script() -> bytes:
    """The script's source."""
    return resources.files(__name__).joinpath("reporter.js").read_bytes()
