"""The edge that editors see; the only place that names LSP types."""
