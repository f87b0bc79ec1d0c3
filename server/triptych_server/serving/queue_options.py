"""The bound, time limit and default priority of a model's queue, and whom the model feeds, from its `parameters`."""

from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.serving.request_queue import BULK, URGENT
from triptych_server.sessions.parameters import QUEUE_KEYS, Parameters


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """`max_waiting`: requests of each priority; `max_wait_seconds`: a client may ask for less; `default_priority`: 1 urgent, 2 bulk.
    `feeds`: the models that get what this one makes; it waits while enough waits there."""

    max_waiting: int = 64
    max_wait_seconds: int = 60
    default_priority: int = BULK
    feeds: tuple[str, ...] = ()

    @classmethod
    def from_parameters(cls, parameters: Parameters, model: str) -> Self:
        """ConfigError for a bound or time of nothing, or a priority that there is not."""
        default = cls()
        feeds = tuple(filter(None, (name.strip() for name in parameters.text("feeds").split(","))))
        found = cls(feeds=feeds, **{key: parameters.integer(key, getattr(default, key)) for key in QUEUE_KEYS - {"feeds"}})
        for key in ("max_waiting", "max_wait_seconds"):
            if (value := getattr(found, key)) < 1:
                raise ConfigError(f"{model}: parameter {key} is {value}; expected at least 1")
        if found.default_priority not in (URGENT, BULK):
            raise ConfigError(
                f"{model}: parameter default_priority is {found.default_priority}; expected {URGENT} (urgent) or {BULK} (bulk)"
            )
        return found
