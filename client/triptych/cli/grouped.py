"""Options that several commands have are declared once, as a dataclass: a command takes it as one parameter, and Typer sees its fields."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Spread each parameter whose default is a dataclass's instance over options of their own, with that instance's values for defaults."""
    declared, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: parameter.default for name, parameter in declared.parameters.items() if dataclasses.is_dataclass(parameter.default)
    }
    fields = {name: get_type_hints(type(group), include_extras=True) for name, group in groups.items()}
    parameters: list[inspect.Parameter] = []
    for name, parameter in declared.parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        for field, hint in fields[name].items():
            parameters.append(parameter.replace(name=field, annotation=hint, default=getattr(groups[name], field)))

    @functools.wraps(command)
    def ungrouped(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = type(group)(**{field: given.pop(field, getattr(group, field)) for field in fields[name]})
        command(**given)

    ungrouped.__signature__ = declared.replace(parameters=parameters)  # type: ignore[attr-defined]
    ungrouped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return ungrouped
