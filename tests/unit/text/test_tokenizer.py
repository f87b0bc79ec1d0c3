"""ClipTokenizer against transformers with the real vocabulary, and its limits, options and errors."""

import os
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from tests.support.strings import varied_texts
from triptych_server.errors import ConfigError, InvalidTextError
from triptych_server.text.tokenizer import ClipTokenizer, TokenizerOptions

BOS, EOS = 49406, 49407
TEXTS = varied_texts()


@pytest.fixture(scope="session")
def clip(tokenizer_json: Path) -> ClipTokenizer:
    return ClipTokenizer.load(tokenizer_json, TokenizerOptions(context_length=77, pad_id=EOS))


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of whole words, small enough to read: [1] words [2]; unknown words are 0."""
    vocabulary = {
        name: i for i, name in enumerate(["?", "<s>", "</s>", "a", "cat", "on", "mat", "deu_Latn", "eng_Latn", "A", "new", "york"])
    }
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    tokenizer.add_special_tokens(["deu_Latn", "eng_Latn"])
    target = tmp_path_factory.mktemp("words") / "tokenizer.json"
    tokenizer.save(str(target))
    return target


def load(path: Path, **options: Any) -> ClipTokenizer:
    return ClipTokenizer.load(path, TokenizerOptions(**{"context_length": 8, "pad_id": 0, **options}))


def test_ids_are_those_of_transformers_on_hundreds_of_varied_texts(reference: Any, clip: ClipTokenizer) -> None:
    assert len(set(TEXTS)) >= 300
    theirs = reference(TEXTS, truncation=True, max_length=77, padding="max_length")["input_ids"]
    wrong = [text for text, ids in zip(TEXTS, theirs, strict=True) if clip.encode(text).tolist() != ids]
    assert wrong == []
    assert clip.encode_batch(TEXTS).tolist() == theirs
    assert clip.encode_batch([text.encode() for text in TEXTS]).tolist() == theirs


def test_a_long_text_is_cut_and_keeps_its_end_token(clip: ClipTokenizer) -> None:
    tokens = clip.encode("cat " * 200)
    assert (tokens.dtype, tokens.shape) == (np.dtype(np.int32), (77,))
    assert (tokens[0], tokens[-1]) == (BOS, EOS)
    assert len(set(tokens[1:-1].tolist())) == 1


def test_the_pad_id_fills_what_the_text_leaves(tokenizer_json: Path) -> None:
    for pad_id in (0, 7, EOS):
        tokens = load(tokenizer_json, context_length=12, pad_id=pad_id).encode("")
        assert tokens.tolist() == [BOS, EOS] + [pad_id] * 10


def test_padding_and_truncation_of_the_file_itself_are_overruled(tokenizer_json: Path, tmp_path: Path) -> None:
    fixed = Tokenizer.from_file(str(tokenizer_json))
    fixed.enable_padding(length=20, pad_id=5, pad_token="!")
    fixed.enable_truncation(4)
    fixed.save(str(tmp_path / "tokenizer.json"))
    assert (
        load(tmp_path / "tokenizer.json", context_length=10).encode("a b c d").tolist()
        == load(tokenizer_json, context_length=10).encode("a b c d").tolist()
    )


def test_language_prefix_stands_directly_before_the_cleaned_text(words: Path) -> None:
    nllb = load(words, language_prefix="flores")
    assert nllb.encode(" a  cat ", "de").tolist() == [1, 7, 3, 4, 2, 0, 0, 0]
    assert nllb.encode("a cat", b"de-AT").tolist() == [1, 7, 3, 4, 2, 0, 0, 0]
    assert nllb.encode("a cat", "tlh").tolist() == [1, 8, 3, 4, 2, 0, 0, 0]
    for none in (None, "", b""):
        assert nllb.encode("a cat", none).tolist() == [1, 3, 4, 2, 0, 0, 0, 0]
    assert load(words).encode("a cat", "de").tolist() == [1, 3, 4, 2, 0, 0, 0, 0]


def test_cleaning_is_the_one_that_was_asked_for(words: Path) -> None:
    assert load(words).encode("A cat, New_York").tolist() == [1, 9, 4, 0, 0, 2, 0, 0]
    assert load(words, clean="canonicalize").encode("A cat, New_York").tolist() == [1, 3, 4, 10, 11, 2, 0, 0]


def test_a_batch_has_one_row_per_text_and_its_own_language(words: Path) -> None:
    nllb = load(words, language_prefix="flores")
    batch = nllb.encode_batch(["a", b"cat", "on"], ["de", None, "en"])
    assert batch.dtype == np.int32
    assert batch[:, :4].tolist() == [[1, 7, 3, 2], [1, 4, 2, 0], [1, 8, 5, 2]]
    assert nllb.encode_batch([]).shape == (0, 8)


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"caf\xe9", b"\xed\xa0\x80", b"ok \xf0\x9f\x90", "half \ud83d", "\udc00"])
def test_what_is_not_utf8_is_refused(bad: bytes | str, words: Path) -> None:
    with pytest.raises(InvalidTextError, match="The text is not UTF-8"):
        load(words).encode(bad)
    with pytest.raises(InvalidTextError, match="The language is not UTF-8"):
        load(words, language_prefix="flores").encode("a", bad)


def test_the_length_limit_counts_characters_and_holds_to_one(words: Path) -> None:
    limited = load(words, max_chars=10)
    for good in ("x" * 10, b"x" * 10, "🐱" * 10, ("🐱" * 10).encode()):
        limited.encode(good)
    for bad in ("x" * 11, b"x" * 11, "🐱" * 11, ("🐱" * 11).encode(), b"\xff" * 41):
        with pytest.raises(InvalidTextError, match="the limit is 10 characters|the limit is 10\\."):
            limited.encode(bad)
    with pytest.raises(InvalidTextError, match="the limit is 10,000"):
        load(words).encode("x" * 10_001)
    with pytest.raises(InvalidTextError, match="The language has"):
        load(words, language_prefix="flores").encode("a", "x" * 65)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({}, "context_length, pad_id is missing"),
        ({"context_length": "77", "pad_id": "none"}, "pad_id is 'none'; expected a whole number"),
        ({"context_length": "0", "pad_id": "0"}, "context_length is 0"),
        ({"context_length": "2", "pad_id": "0"}, "the tokenizer adds 2 tokens"),
        ({"context_length": "77", "pad_id": "-1"}, "pad_id is -1"),
        ({"context_length": "77", "pad_id": "12"}, "vocabulary ends at 11"),
        ({"context_length": "77", "pad_id": "0", "clean": "lower"}, "'lower'; expected whitespace or canonicalize"),
        ({"context_length": "77", "pad_id": "0", "language_prefix": "iso"}, "'iso'; expected none or flores"),
        ({"context_length": "77", "pad_id": "0", "max_chars": "0"}, "max_chars is 0"),
        ({"context_length": "77", "pad_id": "0", "padding": "1"}, "Unknown parameter padding"),
    ],
)
def test_parameters_that_make_no_sense_are_config_errors(parameters: dict[str, str], complaint: str, words: Path) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ClipTokenizer.from_parameters(words, parameters)


def test_parameters_become_options(words: Path) -> None:
    given_ = {"context_length": "64", "pad_id": "1", "clean": "canonicalize", "language_prefix": "flores", "max_chars": "9"}
    assert ClipTokenizer.from_parameters(words, given_).options == TokenizerOptions(64, 1, "canonicalize", "flores", 9)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"not json", b"\xff\xff", b'{"version": "1.0"}'])
def test_a_broken_tokenizer_json_is_a_config_error_without_its_path(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.json") as caught:
        load(path)
    assert str(tmp_path) not in str(caught.value)


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_gives_exactly_the_context_length_of_known_tokens(clip: ClipTokenizer, text: str) -> None:
    tokens = clip.encode(text)
    assert (tokens.dtype, tokens.shape) == (np.dtype(np.int32), (77,))
    assert tokens[0] == BOS
    assert EOS in tokens
    assert ((tokens >= 0) & (tokens < 49408)).all()


@given(st.binary(max_size=100))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_give_tokens_exactly_when_they_are_utf8(clip: ClipTokenizer, data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        with pytest.raises(InvalidTextError):
            clip.encode(data)
    else:
        assert np.array_equal(clip.encode(data), clip.encode(text))


def test_many_threads_get_what_one_gets_and_the_environment_stays_as_it_was(clip: ClipTokenizer) -> None:
    before = dict(os.environ)
    alone = clip.encode_batch(TEXTS)
    same: list[bool] = []
    threads = [Thread(target=lambda: same.append(np.array_equal(clip.encode_batch(TEXTS), alone))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 4
    assert dict(os.environ) == before
