"""Builds: a whole app in several steps, each by a model of its own where the settings say so."""
