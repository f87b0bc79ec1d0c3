"""The `triptych` command: one file per command; a failing one says why in one sentence on stderr."""

from triptych.cli.app import main

__all__ = ["main"]
