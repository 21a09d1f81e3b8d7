"""The demo model: prepared answers behind the real SDK, for a first run without a key or a network.

It says in every answer that it is canned.
"""
