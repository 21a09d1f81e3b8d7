"""The demo: an editor in small that shows, step by step, that everything works."""
