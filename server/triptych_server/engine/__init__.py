"""The engine: find Triton, start it on the three repositories, wait until it serves, stop it and clean up after it."""

from triptych_server.engine.engine import Engine
from triptych_server.engine.options import EngineOptions

__all__ = ["Engine", "EngineOptions"]
