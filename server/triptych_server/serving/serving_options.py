"""How a model is served, from its `parameters`: its queue's bound, time limit and default priority, its neighbours, how nice it is."""

from dataclasses import dataclass
from typing import Self

from triptych_server.errors import ConfigError
from triptych_server.serving.request_queue import BULK, URGENT
from triptych_server.sessions.parameters import SERVING_KEYS, Parameters

NEIGHBOURS = frozenset({"feeds", "takes_turns_with"})
"""Those that name other models."""
NICEST = 19


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """`max_waiting`: requests of each priority; `max_wait_seconds`: a client may ask for less; `default_priority`: 1 urgent, 2 bulk.
    `feeds`: the models that get what this one makes; it waits while enough waits there. `takes_turns_with`: those that feed it from the
    same cores; a network on a processor waits for what they have begun, and they for its batches. `nice`: how far its process stands back
    where others want the same cores, 0 to 19, as in nice(1)."""

    max_waiting: int = 64
    max_wait_seconds: int = 60
    default_priority: int = BULK
    feeds: tuple[str, ...] = ()
    takes_turns_with: tuple[str, ...] = ()
    nice: int = 0

    @classmethod
    def from_parameters(cls, parameters: Parameters, model: str) -> Self:
        """ConfigError for a bound or time of nothing, a priority that there is not, or a niceness that takes from others."""
        default = cls()
        numbers = {key: parameters.integer(key, getattr(default, key)) for key in SERVING_KEYS - NEIGHBOURS}
        found = cls(feeds=names_in(parameters.text("feeds")), takes_turns_with=names_in(parameters.text("takes_turns_with")), **numbers)
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


def names_in(text: str) -> tuple[str, ...]:
    """Of models, with commas between them."""
    return tuple(filter(None, (name.strip() for name in text.split(","))))
