"""How a model is served, from its `parameters`: its queue's bound, time limit and default priority, whom it feeds, how nice it is."""

from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.serving.request_queue import BULK, URGENT
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters

NICEST = 19


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """`max_waiting`: requests of each priority; `max_wait_seconds`: a client may ask for less; `default_priority`: 1 urgent, 2 bulk.
    `feeds`: the models that get what this one makes; it waits while enough waits there. `nice`: how far its process stands back where
    others want the same cores, 0 to 19, as in nice(1)."""

    max_waiting: int = 64
    max_wait_seconds: int = 60
    default_priority: int = BULK
    feeds: tuple[str, ...] = ()
    nice: int = 0

    @classmethod
    def from_parameters(cls, parameters: Parameters, model: str) -> Self:
        """ConfigError for a bound or time of nothing, a priority that there is not, or a niceness that takes from others."""
        default = cls()
        feeds = tuple(filter(None, (name.strip() for name in parameters.text("feeds").split(","))))
        found = cls(feeds=feeds, **{key: parameters.integer(key, getattr(default, key)) for key in SERVING_KEYS - {"feeds"}})
        for key in ("max_waiting", "max_wait_seconds"):
            if (value := getattr(found, key)) < 1:
                raise ConfigError(f"{model}: parameter {key} is {value}; expected at least 1")
        if found.default_priority not in (URGENT, BULK):
            raise ConfigError(
                f"{model}: parameter default_priority is {found.default_priority}; expected {URGENT} (urgent) or {BULK} (bulk)"
            )
        if not 0 <= found.nice <= NICEST:
            raise ConfigError(f"{model}: parameter nice is {found.nice}; expected 0 to {NICEST}")
        return found
