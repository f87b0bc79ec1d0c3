"""What callers were told is counted: lost and wrong answers break every promise, errors those that do not allow them."""

import json

import grpc
import numpy as np
import pytest

from loadtest.chaos.known import Known, agree
from loadtest.chaos.report import outcome, write_outcomes
from loadtest.chaos.traffic import Told
from loadtest.questions import Fate, Question, fate_of

FAULT = 100.0


def told(fate, moment=FAULT + 1, wrong=False):
    return Told("search_image", fate, moment, "" if fate is Fate.ANSWERED else f"{fate} it was", wrong)


def count(*seen, allowed=(), within=0.0, well=True):
    return outcome("killed", seen, FAULT, allowed=frozenset(allowed), within=within, well=well, notes=())


def test_answers_and_refusals_break_nothing():
    found = count(told(Fate.ANSWERED), told(Fate.ANSWERED), told(Fate.REFUSED))
    assert (found.counts, found.healed, found.broken) == ({"answered": 2, "refused": 1}, 0.0, ())


def test_errors_are_for_scenarios_that_allow_them_and_for_their_time():
    errors = told(Fate.NOT_THERE, FAULT + 1), told(Fate.FAILED, FAULT + 3)
    allowed = count(*errors, allowed=(Fate.NOT_THERE, Fate.FAILED), within=5)
    assert (allowed.healed, allowed.broken) == (3.0, ())
    assert count(*errors, allowed=(Fate.NOT_THERE,), within=5).broken == ("1 failed",)
    late = count(*errors, allowed=(Fate.NOT_THERE, Fate.FAILED), within=2)
    assert (late.broken, late.late) == ((), "well after 3.0 s, not 2")


def test_nobody_may_be_lost_or_told_anothers_answer():
    everything = tuple(Fate)
    assert count(told(Fate.LOST), allowed=set(everything) - {Fate.LOST}, within=9).broken == ("1 lost",)
    assert count(told(Fate.ANSWERED, wrong=True), allowed=everything, within=9).broken == ("1 wrong answers",)


def test_what_never_heals_says_so(tmp_path):
    found = count(told(Fate.NOT_THERE), allowed=(Fate.NOT_THERE,), within=9, well=False)
    assert (found.healed, found.broken) == (None, ("it did not heal",))
    write_outcomes(tmp_path / "chaos.json", [found])
    assert json.loads((tmp_path / "chaos.json").read_text())[0]["counts"] == {"not there": 1}


def test_answers_agree_within_what_batches_change():
    one = {"embedding": np.array([1.0, 0.0]), "boxes": np.array([[1.0, 2.0, 3.0, 4.0]])}
    assert agree(one, {"embedding": np.array([0.99, 0.01]), "boxes": one["boxes"] + 0.5})
    assert not agree(one, {**one, "embedding": np.array([0.0, 1.0])})
    assert not agree(one, {**one, "boxes": np.zeros((2, 4))})
    assert not agree(one, {"embedding": one["embedding"]})


def test_a_mix_up_that_could_not_show_is_refused():
    asked = tuple(Question(name, "search_text", b"") for name in ("a", "b"))
    same = {"embedding": np.array([1.0, 0.0])}
    with pytest.raises(ValueError, match="a and b have the same answer"):
        Known(asked, {"a": same, "b": same})
    known = Known(asked, {"a": same, "b": {"embedding": np.array([0.0, 1.0])}})
    assert known.is_right("a", same)
    assert not known.is_right("b", same)


@pytest.mark.parametrize(
    ("code", "said", "fate"),
    [
        (grpc.StatusCode.UNAVAILABLE, "in ensemble 'x', clip_visual has 256 requests waiting already; ask again later", Fate.REFUSED),
        (grpc.StatusCode.UNAVAILABLE, "Request timeout expired: it waited 60.0 s for clip_visual", Fate.REFUSED),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", Fate.NOT_THERE),
        (grpc.StatusCode.INVALID_ARGUMENT, "no picture", Fate.BAD_INPUT),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", Fate.LOST),
        (grpc.StatusCode.INTERNAL, "Stub process is not healthy", Fate.FAILED),
    ],
)
def test_fates(code, said, fate):
    assert fate_of(code, said) is fate
