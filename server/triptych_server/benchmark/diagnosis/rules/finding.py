"""A sentence about what was seen, and the thresholds from which on something is worth one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from triptych_server.benchmark.diagnosis.figures import Figures, Settings

GOOD = 0.9
"""A share from which on a step is as good as it gets."""
BUSY_CLIENT = 0.85
"""Of the one core that a client of one thread can use."""
IDLE = 0.1
"""Of all cores' time: less is between two batches."""

THREADS = {"openvino": "INFERENCE_NUM_THREADS", "onnxruntime": "intra_op_thread_count"}
"""What a backend calls its number of threads."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` names it for machines; `sentence` says what was seen, and what to change."""

    rule: str
    sentence: str


Rule = Callable[[Figures], Iterator[Finding]]


def threads_of(own: Settings) -> str:
    """The parameter that sets a network's threads."""
    return THREADS.get(own.backend, "threads")
