"""Which models have requests and get nowhere: Triton's metrics page in, the seconds that each has been standing still out.

Triton's own counts do not show what our models have taken over (for Triton a request is done when it has been put into our queue): where
ours are, they tell what is done. A refusal is nothing done: a model that hangs refuses on and on.
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

_DEMAND = ("triptych_waiting", "triptych_running", "nv_inference_pending_request_count")
_DONE, _DONE_BY_TRITON = ("triptych_taken_total",), ("nv_inference_request_success", "nv_inference_request_failure")
_SAMPLE = re.compile(rf"^({'|'.join((*_DEMAND, *_DONE, *_DONE_BY_TRITON))})\{{([^}}]*)\}} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(model|pid)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Load:
    """Of one model: the requests and batches that wait or run now, and all that was ever done."""

    demand: float
    done: float


def loads(page: str, living: Set[int]) -> dict[str, Load]:
    """From the text of a metrics page, by model. What a process had that is not among the `living` stays on the page, and counts for
    nothing."""
    demand, ours, tritons = (defaultdict[str, float](float) for _ in range(3))
    for name, text, value in _SAMPLE.findall(page):
        labels = dict(_LABEL.findall(text))
        if name in _DEMAND and "pid" in labels and int(labels["pid"]) not in living:
            continue
        (demand if name in _DEMAND else ours if name in _DONE else tritons)[labels["model"]] += float(value)
    return {model: Load(demand[model], (ours if model in ours else tritons)[model]) for model in {*demand, *ours, *tritons}}


class Progress:
    """What was seen last of every model, and since when nothing has changed while requests were there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, tuple[float, float]] = {}

    def standing(self, now: Mapping[str, Load]) -> dict[str, float]:
        """By model with requests, for how many seconds it has done nothing."""
        clock = self._clock()
        self._since = {
            model: kept if (kept := self._since.get(model)) and kept[0] == load.done else (load.done, clock)
            for model, load in now.items()
            if load.demand > 0
        }
        return {model: clock - since for model, (_, since) in self._since.items()}

    def forget(self, model: str) -> None:
        """Its time begins anew."""
        self._since.pop(model, None)
