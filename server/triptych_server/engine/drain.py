"""Unload every model of a Triton, those first that call others, each once it has answered what it has."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor, wait

from triptych_server.engine.control import ControlApi
from triptych_server.engine.servable import closure
from triptych_server.errors import EngineError


def unload_all(control: ControlApi, needed: Mapping[str, Set[str]], deadline: float, running: Callable[[], bool]) -> None:
    """Until `deadline` (of time.monotonic) at most, or until Triton is not `running`; what is not unloaded then stays. `needed` says what
    each model calls; one that it does not know calls nothing."""
    try:
        ready = control.ready()
    except EngineError:
        return
    levels: dict[int, list[str]] = defaultdict(list)
    for model in ready:
        levels[len(closure(model, needed)) if model in needed else 0].append(model)

    def unload(model: str) -> None:
        with contextlib.suppress(EngineError):  # Triton's end has the last word
            control.unload(model, max(deadline - time.monotonic(), 0.0))

    pool = ThreadPoolExecutor(max(1, len(ready)), thread_name_prefix="drain")
    for _, models in sorted(levels.items(), reverse=True):
        unloading = {pool.submit(unload, model) for model in models}
        while unloading and running() and time.monotonic() < deadline:
            unloading = wait(unloading, 0.1).not_done
    pool.shutdown(wait=False, cancel_futures=True)
