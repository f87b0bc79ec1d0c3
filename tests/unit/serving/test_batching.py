"""Stacking requests and splitting answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych_server.serving.batching import batch_size, split, stack


def test_a_lone_request_is_not_copied():
    array = np.zeros((1, 4), np.uint8)
    assert stack([{"x": array}])["x"] is array


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_what_was_stacked_is_split_to_the_same_requests(sizes):
    requests = [{"x": np.full((size, 2), index, np.float32)} for index, size in enumerate(sizes)]
    batch = stack(requests)
    assert len(batch["x"]) == sum(sizes)
    for request, part in zip(requests, split(batch, [batch_size(request) for request in requests]), strict=True):
        np.testing.assert_array_equal(part["x"], request["x"])


def test_split_makes_no_copies():
    outputs = {"y": np.zeros((3, 2))}
    assert all(np.shares_memory(part["y"], outputs["y"]) for part in split(outputs, [1, 2]))


def test_a_graph_that_swallowed_rows_is_caught():
    with pytest.raises(ValueError, match="batch axis"):
        split({"y": np.zeros((1, 2))}, [1, 1])
