"""What this machine could do at best: each part's speed by itself -> bounds of the whole, when nothing between the parts costs anything."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Decoding, or a network: `rate` items per second with every core (or the device) to itself, in full batches; `lone_ms` of one item
    that comes alone. `each` items belong to one request; those after the first share a batch. `on_cpu`: on the cores that decode."""

    rate: float
    lone_ms: float
    each: float = 1.0
    on_cpu: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per second with every core busy, and the milliseconds of a lone request, whose parts come one after the other."""

    throughput: float
    latency_ms: float

    @classmethod
    def of_parts(cls, parts: Sequence[Part]) -> "Limits":
        """Parts on the CPU share its cores; those on an accelerator share that, while the cores work for the next request."""
        seconds = [sum(part.each / part.rate for part in parts if part.on_cpu is on_cpu) for on_cpu in (True, False)]
        lone = sum(part.lone_ms + 1e3 * (part.each - 1) / part.rate if part.each >= 1 else part.each * part.lone_ms for part in parts)
        return cls(1 / max(seconds), lone)

    @classmethod
    def of(cls, cores: int, decode_ms: float, images_per_second: float, lone_ms: float) -> "Limits":
        """`decode_ms`: CPU time of one photo; `images_per_second`: the runtime alone, on all cores, in batches;
        `lone_ms`: its latency for one image."""
        return cls.of_parts((Part(1e3 * cores / decode_ms, decode_ms), Part(images_per_second, lone_ms)))
