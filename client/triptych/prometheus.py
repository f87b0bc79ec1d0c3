"""The Prometheus text format -> samples; only what reading Triton's metrics needs, no types and no time stamps."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?$", re.ASCII)
_LABEL = re.compile(r'\s*(?P<name>[a-zA-Z_]\w*)\s*=\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*(?:,|$)', re.ASCII)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: a metric's name, its labels and its value (NaN and infinities included)."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> Iterator[Sample]:
    """Every sample of a metrics page; raises ValueError at the first line that is not Prometheus text."""
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield _sample(stripped)


def _sample(line: str) -> Sample:
    match = _SAMPLE.match(line)
    if not match:
        raise ValueError(f"not Prometheus text: {line[:80]!r}")
    return Sample(match["name"], dict(_labels(match["labels"] or "")), float(match["value"]))


def _labels(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        match = _LABEL.match(text, position)
        if not match:
            raise ValueError(f"not a Prometheus label: {text[position : position + 80]!r}")
        yield match["name"], _ESCAPE.sub(_unescaped, match["value"])
        position = match.end()


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    return "\n" if character == "n" else character
