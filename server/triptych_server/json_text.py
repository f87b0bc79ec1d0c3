"""JSON that somebody else wrote: whatever is wrong with it is a ValueError, too deep a nesting too."""

import json
from typing import Any


def read_json(text: str) -> Any:
    """The value. Raises ValueError, which json.loads does not for thousands of brackets within each other."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
