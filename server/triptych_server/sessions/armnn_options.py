"""From a model config's parameters to the options of Arm NN's delegate, under the names that its external interface parses."""

from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.sessions.protocol import SessionSettings

KNOWN = frozenset(
    {
        "allow_fallback", "backends", "cached_network", "delegate", "fast_math", "fp16", "interpreters", "logging_severity",
        "number_of_threads", "tuning_file", "tuning_level",
    }
)  # fmt: skip
GPU, CPU, REFERENCE = "GpuAcc", "CpuAcc", "CpuRef"
SEVERITIES = ("trace", "debug", "info", "warning", "error", "fatal")
LIBRARY = "libarmnnDelegate.so"
MOST_INTERPRETERS = 16
"""Each holds a copy of the network; a GPU runs one at a time."""
_MOST_THREADS = 64  # what Arm NN takes
_MOST_TUNING = 3


@dataclass(frozen=True, slots=True)
class ArmnnOptions:
    """`backends` in the order of preference; `threads` 0: Arm NN's own choice; `tuning_file` empty: one of ours; `cached`:
    whether compiled kernels are kept; `library`: the delegate's."""

    backends: tuple[str, ...] = (GPU, CPU)
    fp16: bool = False
    fast_math: bool = False
    tuning_level: int = 2
    tuning_file: str = ""
    cached: bool = False
    threads: int = 0
    severity: str = "warning"
    interpreters: int = 1
    library: str = LIBRARY

    @classmethod
    def from_settings(cls, settings: SessionSettings) -> Self:
        """Read and check the parameters, all of which have the defaults above: `backends` (comma-separated), `fp16`, `fast_math`,
        `tuning_level` (0: use what is in the file; 1 to 3: tune new kernels, rapidly to exhaustively), `tuning_file`, `cached_network`
        (keep compiled kernels), `number_of_threads` (of CpuAcc), `logging_severity`, `interpreters`, `delegate` (the library). ConfigError.
        """
        given, default = settings.parameters, cls()
        given.refuse_unknown(KNOWN, f"{settings.model}: the armnn backend")

        def number(key: str, value: int, least: int, most: int) -> int:
            found = given.integer(key, value)
            if not least <= found <= most:
                raise ConfigError(f"{settings.model}: parameter {key} is {found}; expected {least} to {most}")
            return found

        backends = tuple(name.strip() for name in given.text("backends", ",".join(default.backends)).split(","))
        if not set(backends) <= {GPU, CPU, REFERENCE} or len(set(backends)) != len(backends):
            raise ConfigError(f"{settings.model}: parameter backends is {','.join(backends)!r}; expected some of {GPU},{CPU},{REFERENCE}")
        if GPU not in backends and (useless := [key for key in ("cached_network", "tuning_file") if key in given]):
            raise ConfigError(f"{settings.model}: parameter {', '.join(useless)} is of {GPU}, which is not among backends; remove it")
        return cls(
            backends=backends,
            fp16=given.boolean("fp16", default=default.fp16),
            fast_math=given.boolean("fast_math", default=default.fast_math),
            tuning_level=number("tuning_level", default.tuning_level, 0, _MOST_TUNING),
            tuning_file=given.text("tuning_file"),
            cached=given.boolean("cached_network", default=default.cached),
            threads=number("number_of_threads", default.threads, 0, _MOST_THREADS),
            severity=given.choice("logging_severity", SEVERITIES, default.severity),
            interpreters=number("interpreters", default.interpreters, 1, MOST_INTERPRETERS),
            library=given.text("delegate", LIBRARY),
        )

    @property
    def precision(self) -> str:
        """What it computes in."""
        return "f16" if self.fp16 else "f32"

    def for_delegate(self, kernels: str = "", *, save: bool = False) -> dict[str, str]:
        """What the delegate is given. `backends` comes first: the delegate drops options of backends that it has not read of yet.
        `kernels` is the file of compiled ones, which it shall read, or `save`."""
        options = {"backends": ",".join(self.backends), "logging-severity": self.severity}
        if GPU in self.backends and self.tuning_file:
            options |= {"gpu-tuning-level": str(self.tuning_level), "gpu-tuning-file": self.tuning_file}
        if GPU in self.backends and kernels:
            options |= {"save-cached-network": _word(save), "cached-network-filepath": kernels}
        if CPU in self.backends and self.threads:
            options["number-of-threads"] = str(self.threads)
        if GPU in self.backends or CPU in self.backends:
            options["enable-fast-math"] = _word(self.fast_math)
        return {**options, "reduce-fp32-to-fp16": _word(self.fp16)}


def _word(value: bool) -> str:
    return "true" if value else "false"
