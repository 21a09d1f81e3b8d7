"""forge-lsp: a language server that brings the AI app builder into any editor."""

__version__ = "0.1.0"
