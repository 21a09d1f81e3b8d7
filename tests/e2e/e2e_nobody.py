"""Runs the language server as somebody to whom nothing here belongs.

Started by root as `python e2e_nobody.py <arguments>`. What the server needs later to refuse a
request is imported before: nobody may be unable to read it.
"""

import importlib
import os

from forge_lsp.__main__ import main

NOBODY = 65534
NEEDED = (
    "forge_lsp.actions.generate",
    "forge_lsp.actions.request",
    "forge_lsp.cli.language_server",
    "forge_lsp.settings",
)

if __name__ == "__main__":
    for name in NEEDED:
        importlib.import_module(name)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    main()
