"""Machines that are not at hand, as their files tell of them: put together after what the kernel and the drivers write on such
machines. Each is a dict from path to content, and `build` makes a folder of it."""

from tests.support.boards.amd import RADEON_6700, RADEON_6800, RADEON_6800_IN_CONTAINER
from tests.support.boards.arm import (
    ORANGE_PI_5,
    ORANGE_PI_5_WITHOUT_LIBMALI,
    RASPBERRY_PI_5,
    ROCK_5B,
    ROCK_5B_IN_CONTAINER,
    ROCK_5B_OLD_DRIVER,
)
from tests.support.boards.build import Board, Secret, build
from tests.support.boards.nvidia import GTX_750, RTX_3060, RTX_3060_CUDA_12, RTX_3060_IN_CONTAINER, RTX_3060_OLD_DRIVER, card
from tests.support.boards.x86 import CORE_ULTRA, CORE_ULTRA_BARE, N100, PLAIN_SERVER

__all__ = [
    "CORE_ULTRA",
    "CORE_ULTRA_BARE",
    "GTX_750",
    "N100",
    "ORANGE_PI_5",
    "ORANGE_PI_5_WITHOUT_LIBMALI",
    "PLAIN_SERVER",
    "RADEON_6700",
    "RADEON_6800",
    "RADEON_6800_IN_CONTAINER",
    "RASPBERRY_PI_5",
    "ROCK_5B",
    "ROCK_5B_IN_CONTAINER",
    "ROCK_5B_OLD_DRIVER",
    "RTX_3060",
    "RTX_3060_CUDA_12",
    "RTX_3060_IN_CONTAINER",
    "RTX_3060_OLD_DRIVER",
    "Board",
    "Secret",
    "build",
    "card",
]
