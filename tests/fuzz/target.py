"""What a fuzz target is: a property of any bytes, and bytes to start from."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz import targets

REGRESSIONS = Path(__file__).parent / "regressions"
"""A folder for each target: inputs that once broke its property, named after what was wrong."""


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises for bytes that break the property; `seeds` are small and sound or nearly so.

    `max_length`: bytes of an input. `memory_mib`: what the process may hold. `mutate`: changes that keep a format's frame; without it,
    changes are libFuzzer's alone.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    max_length: int = 4096
    memory_mib: int = 1024
    mutate: Callable[[bytes, Random], bytes] | None = None


NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(targets.__path__)))


def load(name: str) -> Target:
    """The target of `targets/<name>.py`."""
    target: Target = importlib.import_module(f"{targets.__name__}.{name}").TARGET
    return target


def regressions(name: str) -> list[Path]:
    """The target's kept inputs."""
    return sorted(path for path in (REGRESSIONS / name).glob("*") if path.is_file())
