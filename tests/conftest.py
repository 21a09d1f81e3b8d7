"""Makes what several suites share importable: this folder stands on the import path."""
