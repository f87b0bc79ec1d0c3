"""Parameters of a config.pbtxt (strings) -> a validated options dataclass: the one way in which model parameters are read."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TypeVar, get_type_hints

from triptych_server.errors import ConfigError

Options = TypeVar("Options")


def options_from_parameters(kind: type[Options], parameters: Mapping[str, str]) -> Options:
    """Build the dataclass `kind`, whose fields are int or str, from `parameters`.

    Names in capitals (EXECUTION_ENV_PATH, ...) belong to Triton and are passed over. Raises ConfigError for any other unknown
    name, for a missing one without default and for a number that is none; the dataclass checks its values itself.
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(name for name in parameters if name not in known and not name.isupper())
    if unknown:
        raise ConfigError(f"Unknown parameter {', '.join(unknown)}; known are {', '.join(known)}.")
    missing = sorted(n for n, f in known.items() if n not in parameters and f.default is MISSING)
    if missing:
        raise ConfigError(f"The parameter {', '.join(missing)} is missing; write it into the model's config.pbtxt.")
    hints = get_type_hints(kind)
    given = {name: text for name, text in parameters.items() if name in known}
    return kind(**{name: _integer(name, text) if hints[name] is int else text for name, text in given.items()})


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"The parameter {name} is {text!r}; expected a whole number.") from None
