"""Where in a config file each field stands, and what its comment says: protobuf's parser keeps neither.

The file has been parsed by protobuf before, so that only its layout is read here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.text_encoding import CUnescape
from tritonclient.grpc.model_config_pb2 import ModelConfig

from triptych_server.configs.fields import is_map, labels, plain

_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}\[\]<>:;,]|[^\s#"'{}\[\]<>:;,]+""")
_QUOTES = {'"', "'"}
_CLOSING = {"{": "}", "<": ">", "[": "]"}


@dataclass(frozen=True, slots=True)
class Place:
    """The line of a field's value, counted from 1, and the comment behind it or, failing that, right above it."""

    line: int
    comment: str


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: str
    line: int
    text: str


def places(text: str) -> dict[str, Place]:
    """Paths, as in `fields.flatten`, of all that a config in text format sets. The title in the first lines is nobody's comment."""
    comments = _comments(text)
    leaves = _Reader(text).message(ModelConfig.DESCRIPTOR, "")
    return {plain(leaf.path): Place(leaf.line, comments.get(leaf.line, "")) for leaf in leaves}


def _comments(text: str) -> dict[int, str]:
    """By line: the comment at its end, else the comment lines that stand right above it."""
    found: dict[int, str] = {}
    above: list[str] = []
    in_title = True
    for number, line in enumerate(text.split("\n"), 1):
        tokens = _TOKEN.findall(line)
        if len(tokens) == 1 and tokens[0].startswith("#"):
            above += [] if in_title else [tokens[0].strip("# \r")]
            continue
        in_title = False
        if tokens and tokens[-1].startswith("#"):
            found[number] = tokens[-1].strip("# \r")
        elif tokens and above:
            found[number] = " ".join(above)
        above = []
    return found


class _Reader:
    """Goes through the tokens of a text once."""

    def __init__(self, text: str) -> None:
        lines = enumerate(text.split("\n"), 1)
        self._tokens = [(token, number) for number, line in lines for token in _TOKEN.findall(line) if not token.startswith("#")]
        self._next = 0

    def message(self, kind: Descriptor, end: str) -> list[_Leaf]:
        """The leaves of a message up to the token `end`, which is consumed; to the end of the text where it is empty."""
        leaves: list[_Leaf] = []
        lists: dict[str, list[list[_Leaf]]] = {}
        while (token := self._peek()) and token != end:
            name, line = self._take()
            if name in ",;":
                continue
            field = kind.fields_by_name[name]
            for element in self._values(field, line):
                if field.is_repeated and field.message_type:
                    lists.setdefault(name, []).append(element)
                else:
                    leaves += [_Leaf(_join(name, leaf.path), leaf.line, leaf.text) for leaf in element]
        if end:
            self._take()
        for name, elements in lists.items():
            leaves += _named(kind.fields_by_name[name], elements)
        return leaves

    def _values(self, field: FieldDescriptor, line: int) -> Iterator[list[_Leaf]]:
        """Each value of a field: one, or the elements of a list in brackets."""
        if self._peek() == ":":
            self._take()
        if self._peek() != "[":
            yield self._value(field, line)
            return
        self._take()
        while self._peek() != "]":
            if self._peek() == ",":
                self._take()
            else:
                yield self._value(field, line)
        self._take()

    def _value(self, field: FieldDescriptor, line: int) -> list[_Leaf]:
        if field.message_type:
            opening, _ = self._take()
            return self.message(field.message_type, _CLOSING[opening]) or [_Leaf("", line, "")]
        text, line = self._take()
        if text[0] not in _QUOTES:
            return [_Leaf("", line, text)]
        parts = [text]
        while self._peek()[:1] in _QUOTES:  # strings that follow each other are one
            parts.append(self._take()[0])
        return [_Leaf("", line, b"".join(CUnescape(part[1:-1]) for part in parts).decode())]

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self) -> tuple[str, int]:
        self._next += 1
        return self._tokens[self._next - 1]


def _named(field: FieldDescriptor, elements: list[list[_Leaf]]) -> list[_Leaf]:
    """The leaves of a list's elements, or of a map's entries, under the paths that `fields.flatten` gives them."""
    mapped = is_map(field)
    names = [next((leaf.text for leaf in element if leaf.path == ("key" if mapped else "name")), "") for element in elements]
    found: list[_Leaf] = []
    for name, element in zip(names if mapped else labels(names), elements, strict=True):
        start = f"{field.name}[{name}]"
        if mapped:  # an entry without a value has an empty one
            values = [leaf for leaf in element if leaf.path.partition(".")[0] == "value"] or [_Leaf("value", element[0].line, "")]
            found += [_Leaf(_join(start, leaf.path.partition(".")[2]), leaf.line, leaf.text) for leaf in values]
        else:
            found += [_Leaf(_join(start, leaf.path), leaf.line, leaf.text) for leaf in element]
    return found


def _join(start: str, rest: str) -> str:
    return f"{start}.{rest}" if rest else start
