"""What can be asked of forge-lsp, the same for every wire."""
