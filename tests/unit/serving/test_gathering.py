"""Rows of several requests through one call: everyone gets his own back, and a failing chunk fails only its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych_server.serving.gathering import call_in_chunks


def parts_of(sizes):
    rows = np.arange(sum(sizes) * 3, dtype=np.float32).reshape(-1, 3)
    ends = np.cumsum(sizes)
    return [rows[end - size : end] for size, end in zip(sizes, ends, strict=True)]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12), st.integers(1, 9))
def test_everyone_gets_his_own_rows_in_as_few_calls_as_the_chunk_allows(sizes, chunk):
    seen = []

    def call(rows):
        seen.append(len(rows))
        return rows * 2

    parts = parts_of(sizes)
    for part, answer in zip(parts, call_in_chunks(parts, call, chunk), strict=True):
        np.testing.assert_array_equal(answer, part * 2)
    assert sum(seen) == sum(sizes)
    assert max(seen) <= chunk
    assert len(seen) == -(-sum(sizes) // chunk)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 5), st.data())
def test_a_failing_chunk_fails_only_those_who_had_rows_in_it(sizes, chunk, data):
    chunks = -(-sum(sizes) // chunk)
    broken = data.draw(st.integers(0, chunks - 1))

    def call(rows):
        if rows[0, 0] == 3 * chunk * broken:
            raise RuntimeError("broken")
        return rows + 1

    parts = parts_of(sizes)
    start = 0
    for part, answer in zip(parts, call_in_chunks(parts, call, chunk), strict=True):
        touched = start // chunk <= broken <= (start + len(part) - 1) // chunk
        if touched:
            assert isinstance(answer, RuntimeError)
        else:
            np.testing.assert_array_equal(answer, part + 1)
        start += len(part)


def test_too_few_answers_are_an_error_and_never_somebody_elses():
    answers = call_in_chunks(parts_of([2, 3]), lambda rows: rows[:-1], 16)
    assert all(isinstance(answer, ValueError) for answer in answers)


def test_a_lone_request_is_not_copied():
    (part,) = parts_of([3])
    call_in_chunks([part], lambda rows: pytest.fail("copied") if not np.shares_memory(rows, part) else rows, 8)
