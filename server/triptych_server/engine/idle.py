"""Which loaded models may be unloaded: those whose counters have stood still for long, and that no other one in use needs."""

from collections.abc import Hashable, Mapping, Sequence, Set

from triptych_server.engine.servable import closure


class IdleWatch:
    """Knows since when each model's counters have not changed. `ttl` is in seconds, as the times are, of any one clock."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._since: dict[str, tuple[Hashable, float]] = {}

    def idle(self, uses: Mapping[str, Hashable], now: float) -> set[str]:
        """Those of the loaded models that were not asked for `ttl` seconds. `uses`: of each, whatever differs after a request. One that
        was not loaded at the last look counts as asked now."""
        self._since = {
            name: before if (before := self._since.get(name)) is not None and before[0] == use else (use, now) for name, use in uses.items()
        }
        return {name for name, (_, since) in self._since.items() if now - since >= self._ttl}


def unloadable(loaded: Set[str], idle: Set[str], needed: Mapping[str, Set[str]], order: Sequence[str]) -> list[str]:
    """Models to unload, those that call others first: what is in use keeps all that it needs, asked for lately or not.

    `order`: all models of the repository, those that others need first; what is loaded besides is not touched.
    """
    kept = {other for name in loaded - idle if name in needed for other in closure(name, needed)}
    return [name for name in reversed(order) if name in loaded and name not in kept]
