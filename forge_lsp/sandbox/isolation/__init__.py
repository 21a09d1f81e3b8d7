"""Confinement on Linux: bubblewrap, a network of its own, a system call filter, limits."""
