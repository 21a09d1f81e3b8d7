"""Sandboxes: places where the model's code runs, confined."""
