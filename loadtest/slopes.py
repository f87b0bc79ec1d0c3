"""Whether a series of readings grows: Theil-Sen's slope, which a few odd readings do not move, with its confidence interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

CONFIDENCE = 0.99
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Trend:
    """A series' median level, and how much a minute adds to it: `low` to `high` with CONFIDENCE. `grows` when even `low` adds more than
    `noise` in the time that was looked at."""

    name: str
    unit: str
    level: float
    slope: float
    low: float
    high: float
    minutes: float
    noise: float

    @property
    def grows(self) -> bool:
        """Whether it grew, beyond doubt and by more than noise."""
        return self.low * self.minutes > self.noise


def trend(name: str, unit: str, minutes: Sequence[float], values: Sequence[float], *, share: float, least: float) -> Trend:
    """Of readings taken at these minutes. Growth is noise below `share` of the level or below `least`. ValueError for too few."""
    if len(values) < FEWEST:
        raise ValueError(f"{name}: {len(values)} readings are too few for a slope; expected {FEWEST} at least: measure for longer")
    found = theilslopes(values, minutes, CONFIDENCE)
    level = float(np.median(values))
    slope, low, high = (float(part) for part in (found.slope, found.low_slope, found.high_slope))
    return Trend(name, unit, level, slope, low, high, max(minutes) - min(minutes), max(share * abs(level), least))
