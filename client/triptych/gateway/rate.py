"""How often a caller may ask: a token bucket for each key or address, and no more of them than a bounded table holds."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 10_000
"""Buckets at a time, a few MB. When one more caller comes the one that was silent for longest is forgotten, which fills its bucket."""


class Rates:
    """`burst` requests at once, and `per_second` in the long run, for each caller."""

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._now = per_second, burst, now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when there were so many

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, caller: str) -> int:
        """0, and one token is taken; or after how many whole seconds there will be one."""
        now = self._now()
        tokens, since = self._buckets.pop(caller, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._per_second)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - allowed, now)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return 0 if allowed else math.ceil((1 - tokens) / self._per_second)


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one, which one household has whole."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
