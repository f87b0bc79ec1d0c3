"""Slopes of readings: noise and odd readings are no growth, a leak is."""

import numpy as np
import pytest

from loadtest.slopes import trend

MINUTES = np.arange(0, 20, 0.1).tolist()
NOISE = np.random.default_rng(0).normal(0, 3, len(MINUTES))


def of(values, share=0.02, least=4.0):
    return trend("memory", "MB", MINUTES, list(values), share=share, least=least)


def test_noise_is_no_growth():
    flat = of(400 + NOISE)
    assert flat.low < 0 < flat.high
    assert not flat.grows
    assert flat.level == pytest.approx(400, abs=1)


def test_a_leak_is():
    leak = of(400 + 0.8 * np.array(MINUTES) + NOISE)
    assert leak.slope == pytest.approx(0.8, abs=0.1)
    assert leak.grows


def test_neither_is_what_one_odd_reading_adds_nor_what_is_given_back():
    spikes = 400 + NOISE
    spikes[-10:] += 500
    assert not of(spikes).grows
    assert not of(400 - 2 * np.array(MINUTES) + NOISE).grows


def test_growth_that_is_certain_but_small_is_noise():
    small = of(400 + 0.1 * np.array(MINUTES))
    assert small.low > 0
    assert not small.grows
    assert of(400 + 0.1 * np.array(MINUTES), share=0.0, least=1.0).grows


def test_few_readings_have_no_slope():
    with pytest.raises(ValueError, match="3 readings are too few"):
        trend("memory", "MB", [0, 1, 2], [1, 2, 3], share=0.1, least=1)
