"""Version numbers, as drivers and packages write them."""

import re

Version = tuple[int, ...]


def find_version(text: str) -> str:
    """The first dotted number in a text, as `0.9.8` in `RKNPU driver: v0.9.8`; empty when there is none."""
    found = re.search(r"\d{1,9}(?:\.\d{1,9})+", text, re.ASCII)
    return found[0] if found else ""


def version(text: str) -> Version:
    """Its numbers, to compare: `545.29.06` is (545, 29, 6), nothing is ()."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", text, re.ASCII))
