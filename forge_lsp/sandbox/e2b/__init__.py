"""Sandboxes in the cloud, by E2B: each a virtual machine of its own.

The SDK takes a third of a second to import, so nobody imports this package before a sandbox is
asked for.
"""
