"""What this machine could do at best: CPU time of a decode and speed of the bare runtime -> bounds for search_image."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """search_image if nothing but decoding and inference cost anything: photos per second with every core busy, and the
    milliseconds of a lone request, whose decoding and inference come one after the other."""

    throughput: float
    latency_ms: float

    @classmethod
    def of(cls, cores: int, decode_ms: float, images_per_second: float, lone_ms: float) -> "Limits":
        """`decode_ms`: CPU time of one photo; `images_per_second`: the runtime alone, on all cores, in batches;
        `lone_ms`: its latency for one image."""
        infer_ms = 1e3 * cores / images_per_second  # CPU time of one image in a batch
        return cls(1e3 * cores / (decode_ms + infer_ms), decode_ms + lone_ms)
