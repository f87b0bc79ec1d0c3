"""Which models have requests and get nowhere: Triton's metrics page in, the seconds that each has been standing still out.

Triton's own pending counts do not show what our models have taken over (they answer at once and later); ours do: `triptych_waiting` and
`triptych_running`.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_DEMAND = ("triptych_waiting", "triptych_running", "nv_inference_pending_request_count")
_DONE = (
    "triptych_runs_total",
    "triptych_refused_total",
    "nv_inference_request_success",
    "nv_inference_request_failure",
)
_SAMPLE = re.compile(rf'^({"|".join((*_DEMAND, *_DONE))})\{{[^}}]*\bmodel="([^"]+)"[^}}]*\}} (\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """Of one model: the requests that wait or run now, and all that was ever done."""

    demand: float
    done: float


def loads(page: str) -> dict[str, Load]:
    """From the text of a metrics page, by model."""
    demand, done = Counter[str](), Counter[str]()
    for name, model, value in _SAMPLE.findall(page):
        (demand if name in _DEMAND else done)[model] += float(value)  # type: ignore[assignment]  # counters of floats
    return {model: Load(demand[model], done[model]) for model in {*demand, *done}}


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
