"""What `best` means: an objective and the limits under which it counts."""

from dataclasses import dataclass
from typing import Literal, get_args

from triptych_server.errors import ConfigError
from triptych_server.tuning.trial import Score

Objective = Literal["throughput", "latency", "memory"]
MOST_REFUSED = 0.001
LEAST_SHARE = 0.9
"""Of the profile's throughput, that a config which saves memory must keep."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Most throughput, least median latency or least memory; `p95_ms` is a limit on latency, where there is one. ConfigError for another
    objective or a limit that nothing can keep."""

    objective: Objective = "throughput"
    p95_ms: float | None = None

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            raise ConfigError(f"the objective is {self.objective!r}; expected one of {', '.join(get_args(Objective))}")
        if self.p95_ms is not None and self.p95_ms <= 0:
            raise ConfigError(f"the limit on p95 is {self.p95_ms:g} ms; expected more than 0")

    def value(self, score: Score) -> float:
        """The higher the better."""
        return {"throughput": score.throughput, "latency": -score.p50_ms, "memory": -score.memory_mib}[self.objective]

    def violations(self, score: Score, profile: Score) -> dict[str, float]:
        """By how much each limit is broken, relative to it; 0 or less where it is kept."""
        found = {"refused": score.refused - MOST_REFUSED}
        if self.p95_ms is not None:
            found["p95"] = score.p95_ms / self.p95_ms - 1
        if self.objective == "memory":
            found["throughput"] = LEAST_SHARE - score.throughput / profile.throughput
        return found

    def kept(self, score: Score, profile: Score) -> bool:
        """Whether every limit is."""
        return max(self.violations(score, profile).values()) <= 0

    def gain(self, one: Score, profile: Score) -> float:
        """How many times better than the profile; over 1 is better."""
        if self.objective == "throughput":
            return one.throughput / profile.throughput
        if self.objective == "latency":
            return profile.p50_ms / one.p50_ms
        return profile.memory_mib / one.memory_mib
