"""Gates for a load test: `p95=300`, `search_text:p99=200`, `shed=0.05` against what was measured -> the sentences on those missed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

_FORM = re.compile(r"(?:(?P<what>[A-Za-z_]\w*):)?(?P<figure>p\d{1,2}(?:\.\d+)?|shed)=(?P<limit>\d+(?:\.\d+)?)")
EXIT_MISSED = 2
"""The exit code when a gate is missed."""

FORM = "[KIND:]pNN=MILLISECONDS or [KIND:]shed=SHARE, such as p95=300, search_text:p99=200 or shed=0.05"


@dataclass(frozen=True, slots=True)
class Measured:
    """One kind of request: answered and shed ones, and `percentile(0.95)` in ms of the answered."""

    answered: int
    shed: int
    percentiles: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Gate:
    """`percentile` (0 to 1; None: the share of shed requests) of a kind of request (None: of each) is at most `limit`."""

    what: str | None
    percentile: float | None
    limit: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the command line; ValueError, with the form expected, for anything else."""
        found = _FORM.fullmatch(text)
        if not found or (found["figure"] == "p0"):
            raise ValueError(f"--slo is {text!r}; expected {FORM}")
        figure, limit = found["figure"], float(found["limit"])
        if figure == "shed":
            if limit > 1:
                raise ValueError(f"--slo is {text!r}; a share is at most 1")
            return cls(found["what"], None, limit)
        return cls(found["what"], float(figure[1:]) / 100, limit)

    def misses(self, measured: Mapping[str, Measured]) -> list[str]:
        """A sentence for each kind that is over the limit; and one when there was nothing to measure."""
        kinds = [self.what] if self.what else sorted(measured)
        return [miss for kind in kinds if (miss := self._miss(kind, measured.get(kind)))] or ([] if kinds else ["nothing was measured"])

    def _miss(self, kind: str, found: Measured | None) -> str:
        if found is None or found.answered + found.shed == 0:
            return f"{kind}: nothing was measured"
        if self.percentile is None:
            share = found.shed / (found.answered + found.shed)
            return f"{kind}: {100 * share:.1f} % were shed, over {100 * self.limit:g} %" if share > self.limit else ""
        if not found.answered:
            return f"{kind}: every request was shed"
        value = found.percentiles[self.percentile]
        return f"{kind}: p{100 * self.percentile:g} is {value:.0f} ms, over {self.limit:g} ms" if value > self.limit else ""


def missed(gates: Iterable[Gate], measured: Mapping[str, Measured]) -> list[str]:
    """All misses of all gates."""
    return [miss for gate in gates for miss in gate.misses(measured)]
