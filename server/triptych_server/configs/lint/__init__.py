"""Mistakes in the configs of a repository that Triton would only find on the right hardware, or never."""

from triptych_server.configs.lint.finding import Finding
from triptych_server.configs.lint.run import lint

__all__ = ["Finding", "lint"]
