"""Which profile `auto` stands for on this machine."""

from collections.abc import Collection
from pathlib import Path

AUTO = "auto"


def recommended_profile(available: Collection[str], root: Path = Path("/")) -> str:
    """The one of the `available` profiles that the doctor recommends. Takes a few hundredths of a second where there is no GPU, and
    imports no runtime."""
    from triptych_server.hardware.doctor import examine  # not needed by who names a profile

    return examine(available, root).recommended
