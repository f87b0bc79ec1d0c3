"""CLIP's tokenizer: text (and its language) -> cleaned text -> tokenizer.json -> int32[L], cut and padded to the context length."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from triptych_server.errors import ConfigError, InvalidTextError
from triptych_server.options import options_from_parameters
from triptych_server.text.cleaning import canonicalize, whitespace
from triptych_server.text.flores import flores_code

Clean = Literal["whitespace", "canonicalize"]
LanguagePrefix = Literal["none", "flores"]

_CLEANERS = {"whitespace": whitespace, "canonicalize": canonicalize}
_LONGEST_LANGUAGE = 64  # no tag of BCP 47 in use is half as long


@dataclass(frozen=True, slots=True)
class TokenizerOptions:
    """What tokenizer.json does not say, as the model was trained. Raises ConfigError for settings that make no sense."""

    context_length: int
    pad_id: int  # open_clip pads with 0, transformers' CLIP with its end token 49407
    clean: Clean = "whitespace"
    language_prefix: LanguagePrefix = "none"
    max_chars: int = 10_000

    def __post_init__(self) -> None:
        for name, kind in (("clean", Clean), ("language_prefix", LanguagePrefix)):
            if (value := getattr(self, name)) not in get_args(kind):
                raise ConfigError(f"The parameter {name} is {value!r}; expected {' or '.join(get_args(kind))}.")
        for name, low, high in (("context_length", 1, 1 << 15), ("pad_id", 0, (1 << 31) - 1), ("max_chars", 1, 1 << 24)):
            if not low <= (value := getattr(self, name)) <= high:
                raise ConfigError(f"The parameter {name} is {value}; expected {low} to {high}.")


@dataclass(frozen=True, slots=True)
class ClipTokenizer:
    """Text -> int32[context_length]. Thread-safe; one text is tokenised by one thread, whatever TOKENIZERS_PARALLELISM says."""

    options: TokenizerOptions
    tokenizer: Tokenizer

    @classmethod
    def load(cls, path: Path, options: TokenizerOptions) -> Self:
        """Read a tokenizer.json. Raises ConfigError where it is missing, broken, or does not go with the options."""
        try:
            tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"There is no {path.name}; import a model, which brings its own.") from None
        except OSError as error:
            raise ConfigError(f"{path.name} cannot be read: {error.strerror}.") from None
        except Exception as error:  # the library raises bare Exception for anything it cannot parse
            raise ConfigError(f"{path.name} cannot be read as a Hugging Face tokenizer: {error}") from None
        special, vocabulary = tokenizer.num_special_tokens_to_add(is_pair=False), tokenizer.get_vocab_size()
        if options.context_length <= special:
            raise ConfigError(f"context_length is {options.context_length}, but the tokenizer adds {special} tokens of its own.")
        if options.pad_id >= vocabulary:
            raise ConfigError(f"pad_id is {options.pad_id}, but the tokenizer's vocabulary ends at {vocabulary - 1}.")
        tokenizer.no_padding()  # done here, so that the id alone decides
        tokenizer.enable_truncation(options.context_length)  # keeps the tokens that the tokenizer adds, such as CLIP's end token
        return cls(options, tokenizer)

    @classmethod
    def from_parameters(cls, path: Path, parameters: Mapping[str, str]) -> Self:
        """From the `parameters` of clip_tokenize's config.pbtxt; context_length and pad_id have no default. Raises ConfigError."""
        return cls.load(path, options_from_parameters(TokenizerOptions, parameters))

    def encode(self, text: str | bytes, language: str | bytes | None = None) -> NDArray[np.int32]:
        """Tokens int32[context_length] of one text, which may be empty; bytes are UTF-8.

        `language` (de, pt-BR, zh-Hans, ...) counts only with language_prefix flores; None or empty gives no prefix.
        Raises InvalidTextError: not UTF-8, or longer than max_chars.
        """
        prepared = _CLEANERS[self.options.clean](self._text(text, "text", self.options.max_chars))
        if self.options.language_prefix == "flores" and language:
            prepared = flores_code(self._text(language, "language", _LONGEST_LANGUAGE)) + prepared
        ids = self.tokenizer.encode(prepared).ids
        tokens = np.full(self.options.context_length, self.options.pad_id, dtype=np.int32)
        tokens[: len(ids)] = ids
        return tokens

    def encode_batch(self, texts: Sequence[str | bytes], languages: Sequence[str | bytes | None] | None = None) -> NDArray[np.int32]:
        """Tokens int32[len(texts),context_length]; `languages`, where given, one per text. Raises as `encode` does."""
        of = languages if languages is not None else [None] * len(texts)
        rows = [self.encode(text, language) for text, language in zip(texts, of, strict=True)]
        return np.stack(rows) if rows else np.empty((0, self.options.context_length), np.int32)

    @staticmethod
    def _text(value: str | bytes, what: str, max_chars: int) -> str:
        if len(value) > (max_chars if isinstance(value, str) else 4 * max_chars):  # a character is at most 4 bytes of UTF-8
            unit = "characters" if isinstance(value, str) else "bytes"
            raise InvalidTextError(f"The {what} has {len(value):,} {unit}; the limit is {max_chars:,} characters. Send less.")
        try:
            text = value.decode() if isinstance(value, bytes) else value
            text.encode()  # a str may hold halves of surrogate pairs, which are no characters
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            raise InvalidTextError(f"The {what} is not UTF-8 ({error.reason} at position {error.start}); send UTF-8.") from None
        if len(text) > max_chars:
            raise InvalidTextError(f"The {what} has {len(text):,} characters; the limit is {max_chars:,}. Send less.")
        return text
