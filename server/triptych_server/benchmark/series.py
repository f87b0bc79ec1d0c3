"""Repeated measurements of one quantity: their median and how far they lie apart."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Series:
    """Repeated measurements of one quantity. ValueError for none, and for one below 0."""

    label: str
    unit: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or min(self.values) < 0:
            raise ValueError(f"{self.label} has the values {self.values}; at least one is needed, and none below 0")

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.values)

    @property
    def spread(self) -> float:
        """(highest - lowest) / median: how far the repeats lie apart."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0
