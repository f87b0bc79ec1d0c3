"""Any bytes, as a text and its language -> the tokens of every kind of tokenizer.

Must hold: InvalidTextError at most, and the same for all kinds, for it is about the text; tokens are int32 [L] of the vocabulary; bytes and
str of one text, and one text alone or among others, give the same; cleaning twice is cleaning once.
"""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from tests.fuzz.target import Target
from tests.fuzz.tokenizers import KINDS
from tests.support.bad_images import INSIDE
from triptych_server.errors import InvalidTextError
from triptych_server.text.cleaning import canonicalize, whitespace
from triptych_server.text.tokenizer import ClipTokenizer, TokenizerOptions

LENGTH, MAX_CHARS = 16, 500
OPTIONS = [
    TokenizerOptions(LENGTH, 1, clean, prefix, MAX_CHARS)
    for clean, prefix in (("whitespace", "none"), ("canonicalize", "none"), ("whitespace", "flores"))
]


@cache
def tokenizers() -> list[ClipTokenizer]:
    """Each kind with each set of options, through tokenizer.json as models bring it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        made = []
        for kind in KINDS:
            kind().save(str(file))
            made += [ClipTokenizer.load(file, options) for options in OPTIONS]
    return made


def check(data: bytes) -> None:
    language, _, text = data.rpartition(b"\0\0")
    results = [_tokens(tokenizer, text, language or None) for tokenizer in tokenizers()]
    plain = [result is None for tokenizer, result in zip(tokenizers(), results, strict=True) if tokenizer.options.language_prefix == "none"]
    assert len(set(plain)) == 1, "some kinds take a text that others refuse"
    if plain[0]:
        return
    string = text.decode()
    for clean in (whitespace, canonicalize):
        assert clean(clean(string)) == clean(string), clean
    for tokenizer, tokens in zip(tokenizers(), results, strict=True):
        if tokens is not None:
            among = tokenizer.encode_batch(["a boat", string], ["de", language.decode("latin-1") if language.isascii() else language])
            assert (among[1] == tokens).all()


def _tokens(tokenizer: ClipTokenizer, text: bytes, language: bytes | None) -> np.ndarray | None:
    try:
        tokens = tokenizer.encode(text, language)
    except InvalidTextError as error:
        assert not INSIDE.search(str(error)), str(error)
        return None
    assert (tokens.dtype, tokens.shape) == (np.int32, (LENGTH,))
    assert tokens.min() >= 0 and tokens.max() < tokenizer.tokenizer.get_vocab_size()
    return tokens


def seeds() -> list[bytes]:
    texts = [
        "",
        "a red boat",
        "ein_rotes, Boot!",
        "夜の海",
        "🦆🏳️‍🌈",
        "a\u0301\u0301",
        "\u2028\x1c x",
        "İıẞß",
        "<s> </s> <pad>",
        "word " * 40,
        "\ufeff\u200d",
    ]
    return [
        *(text.encode() for text in texts),
        b"de\0\0ein Boot",
        b"zh_Hans-x\0\0\xe5\xa4\x9c",
        b"\xff\xfe",
        b"x" * (MAX_CHARS + 1),
        b"\xc3",
    ]


TARGET = Target(check, seeds, max_length=2100)
