"""From a model config's parameters and the SoC to the contexts of Rockchip's runtime: how many, and on which NPU cores."""

from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.sessions.protocol import SessionSettings

CORES = {"rk3566": 1, "rk3568": 1, "rk3576": 2, "rk3588": 3}
KNOWN = frozenset({"contexts", "core_mask", "allow_fallback"})
MASKS = ("auto", "per_core", "all")
MOST_CONTEXTS = 16
"""Each holds a copy of the weights; more than a few for a core gain nothing."""

AUTO = 0
"""Rockchip's core mask for: a core that is idle."""


@dataclass(frozen=True, slots=True)
class RknnOptions:
    """`masks`: for each context the cores that it may run on, a bit for each, AUTO for the runtime's choice; None where the SoC has one
    core and the runtime refuses any mask."""

    masks: tuple[int | None, ...]

    @classmethod
    def from_settings(cls, settings: SessionSettings, soc: str) -> Self:
        """Read and check the parameters `contexts` (default: one for each core; 1 with core_mask all) and `core_mask` (auto: an idle
        core for each run; per_core: context after context its own core; all: every run on all cores). ConfigError.
        """
        given, cores = settings.parameters, CORES[soc]
        given.refuse_unknown(KNOWN, f"{settings.model}: the rknn backend")
        mask = given.choice("core_mask", MASKS, "auto")
        if cores == 1 and mask != "auto":
            raise ConfigError(f"{settings.model}: core_mask is {mask}, but {soc.upper()} has one NPU core; remove the parameter")
        contexts = given.integer("contexts", 1 if mask == "all" else cores)
        if not 1 <= contexts <= MOST_CONTEXTS:
            raise ConfigError(f"{settings.model}: parameter contexts is {contexts}; expected 1 to {MOST_CONTEXTS}")
        return cls(tuple(_mask(mask, index, cores) for index in range(contexts)))


def _mask(mask: str, index: int, cores: int) -> int | None:
    if cores == 1:
        return None
    if mask == "all":
        return (1 << cores) - 1
    return 1 << index % cores if mask == "per_core" else AUTO
