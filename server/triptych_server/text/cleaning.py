"""Text as people type it -> text as the model was trained on: whitespace made plain, or SigLIP's canonical form."""

import re
import string

# Unicode's White_Space, as the tokenizers library sees it; Python's \s and str.split() would take \x1c to \x1f too.
_WHITESPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
# As big_vision did for SigLIP: an underscore parts words, other ASCII punctuation vanishes.
_PUNCTUATION = str.maketrans({"_": " "} | dict.fromkeys(string.punctuation.replace("_", "")))


def whitespace(text: str) -> str:
    """Runs of whitespace become one space; none at the ends."""
    return _WHITESPACE.sub(" ", text).strip(" ")


def canonicalize(text: str) -> str:
    """SigLIP's canonical form: no ASCII punctuation, lower case, plain whitespace."""
    return whitespace(text.translate(_PUNCTUATION).lower())
