"""Whitespace and canonical cleaning."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych_server.text.cleaning import canonicalize, whitespace


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("  a   b\tc\r\nd ", "a b c d"),
        ("a\u00a0b\u2003c\u3000d\u2028e\x85f\u1680g\u202fh\u205fi", "a b c d e f g h i"),
        ("Keep-This, As It Is!", "Keep-This, As It Is!"),
        ("zero\u200bwidth and \x1c\x1f are no whitespace", "zero\u200bwidth and \x1c\x1f are no whitespace"),
    ],
)
def test_whitespace_collapses_and_nothing_else_changes(text: str, clean: str) -> None:
    assert whitespace(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("A Photo, of a CAT!", "a photo of a cat"),
        ("well-known don't", "wellknown dont"),
        ("new_york__city", "new york city"),
        (" - a - ", "a"),
        (string.punctuation, ""),
        ("Ünïcödé “stays” 猫。", "ünïcödé “stays” 猫。"),
    ],
)
def test_canonical_form_has_no_ascii_punctuation_and_is_lower_case(text: str, clean: str) -> None:
    assert canonicalize(text) == clean


@given(st.text())
@settings(derandomize=True)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert whitespace(whitespace(text)) == whitespace(text)
    assert not set(canonicalize(text)) & set(string.punctuation)
    assert canonicalize(canonicalize(text)) == canonicalize(text)
