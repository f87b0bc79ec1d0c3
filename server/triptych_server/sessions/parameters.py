"""Typed reading of a model config's `parameters` and accelerator parameters: all are strings in config.pbtxt."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from triptych_server.errors import ConfigError

SERVING_KEYS = frozenset({"max_waiting", "max_wait_seconds", "default_priority", "feeds", "takes_turns_with", "nice"})
"""Those of every model that we serve, whatever runs it (serving/serving_options.py); no runtime sees them."""
TRUE, FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """String parameters by key. Every reader raises ConfigError with the key, what was found and what was expected."""

    values: Mapping[str, str]

    def __contains__(self, key: object) -> bool:
        return key in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def without(self, *keys: str) -> "Parameters":
        """The others."""
        return Parameters({key: value for key, value in self.values.items() if key not in keys})

    def text(self, key: str, default: str = "") -> str:
        """The value as it stands."""
        return self.values.get(key, default)

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of `choices`, compared without case."""
        value = self.values.get(key, default)
        for choice in choices:
            if value.lower() == choice.lower():
                return choice
        raise ConfigError(f"parameter {key} is {value!r}; expected one of {', '.join(choices)}")

    def integer(self, key: str, default: int) -> int:
        """A whole number."""
        value = self.values.get(key)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError:
            raise ConfigError(f"parameter {key} is {value!r}; expected a whole number") from None

    def boolean(self, key: str, *, default: bool) -> bool:
        """true/false, yes/no, on/off or 1/0."""
        value = self.values.get(key)
        if value is None:
            return default
        if value.lower() in TRUE:
            return True
        if value.lower() in FALSE:
            return False
        raise ConfigError(f"parameter {key} is {value!r}; expected true or false")

    def refuse_unknown(self, known: frozenset[str], owner: str) -> None:
        """ConfigError for a key that `owner` does not know: a typo must not be a silent default."""
        unknown = sorted(set(self.values) - known)
        if unknown:
            raise ConfigError(f"{owner} does not know parameter {', '.join(unknown)}; it knows {', '.join(sorted(known))}")
