"""The HTTP edge: the same engine for tools that aren't editors."""
