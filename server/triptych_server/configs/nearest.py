"""The known name that a misspelt one was probably meant to be."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """The most alike of the known names, compared without case; empty when none is near."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` to end an error with; empty when no known name is near."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""
