"""The targets of the fuzzer without the fuzzer: what once broke a property, the seeds, and some changes of them, the same ones every time."""

from random import Random

import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.target import NAMES, load, regressions

CHANGES = 150
CASES = [pytest.param(name, file, id=f"{name}-{file.name}") for name in NAMES for file in regressions(name)]


@pytest.mark.parametrize(("name", "file"), CASES)
def test_what_once_broke_it_holds_now(name, file):
    load(name).check(file.read_bytes())


@pytest.mark.filterwarnings("ignore")  # Pillow's, of broken pictures
@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_changes_of_them_hold(name):
    target, random = load(name), Random(name)
    seeds = list(target.seeds())
    assert len(seeds) >= 6
    for data in seeds:
        target.check(data)
    for _ in range(CHANGES):
        target.check((target.mutate or mutated)(random.choice(seeds), random)[: target.max_length])


def test_every_regression_has_its_target():
    from tests.fuzz.target import REGRESSIONS

    assert {folder.name for folder in REGRESSIONS.iterdir()} <= set(NAMES)
