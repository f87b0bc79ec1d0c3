"""A ModelConfig as flat fields: one path and one value for each that is set, as people name them.

Paths: `dynamic_batching.default_queue_policy.max_queue_size`, `input[image].dims`, `instance_group[0].kind`, `parameters[NUM_STREAMS]`.
Elements of a list are told apart by their `name` where each has one of its own, else by their place; entries of a map by their key.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Value: TypeAlias = str | int | float | bool | list[str | int | float | bool]

EMPTY = "{}"
"""The value of a message that is there with nothing in it, as in `dynamic_batching { }`."""


def flatten(message: Message) -> dict[str, Value]:
    """Every field that is set, in the order of the proto; names stand for enums, scalar lists are one value.

    Raises ValueError for a number that its enum does not have: protobuf takes any.
    """
    return {plain(path): value for path, value in _fields(message)}


def plain(path: str) -> str:
    """A path without the step that Triton's proto puts around a parameter's value."""
    return path.removesuffix(".string_value")


def labels(names: Sequence[str]) -> list[str]:
    """What tells the elements of a list apart: their names where each has one of its own, else their places."""
    own = all(names) and len(set(names)) == len(names)
    return list(names) if own else [str(place) for place in range(len(names))]


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map, which protobuf keeps as a list of key and value."""
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _fields(message: Message) -> Iterator[tuple[str, Value]]:
    for field, content in message.ListFields():
        if (entry := field.message_type) and is_map(field):
            for key in sorted(content):
                yield from _content(f"{field.name}[{key}]", entry.fields_by_name["value"], content[key])
        elif field.is_repeated and field.message_type:
            names = labels([str(getattr(each, "name", "")) for each in content])
            for name, each in zip(names, content, strict=True):
                yield from _content(f"{field.name}[{name}]", field, each)
        elif field.is_repeated:
            yield field.name, [_scalar(field, each) for each in content]
        else:
            yield from _content(field.name, field, content)


def _content(path: str, field: FieldDescriptor, content: Any) -> Iterator[tuple[str, Value]]:
    if not field.message_type:
        yield path, _scalar(field, content)
        return
    inner = list(_fields(content))
    yield from ((f"{path}.{rest}", value) for rest, value in inner)
    if not inner:
        yield path, EMPTY


def _scalar(field: FieldDescriptor, value: Any) -> Any:
    if not field.enum_type:
        return value
    if value not in field.enum_type.values_by_number:
        raise ValueError(f"{field.name} is {value}; expected one of {', '.join(field.enum_type.values_by_name)}")
    return field.enum_type.values_by_number[value].name
