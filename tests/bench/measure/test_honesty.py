"""Contents never seen: the truth follows by rule, and a pace is judged by itself and the control."""

import functools
import random

import pytest
import torch
import torch.nn.functional as F

from bench.devices.cpu import CpuDevice
from bench.measure.error import errors_of
from bench.measure.honesty import Challenge, Pace, changes
from bench.measure.inputs import bits_equal
from bench.measure.oracle import truth
from bench.measure.variant import make_variant
from bench.plan.problem import Problem

PROBLEM = Problem(N=2, C=8, H=5, W=3, G=4)
BACKWARD = Problem(N=2, C=8, H=5, W=3, G=4, direction="backward", activation="relu")
LAST = Problem(N=3, C=8, H=4, W=6, G=2, layout="channels_last", activation="silu")


@pytest.mark.parametrize("problem", [PROBLEM, BACKWARD, LAST], ids=["forward", "backward", "channels_last"])
def test_the_truth_of_changed_contents_is_the_oracles(problem):
    variant = make_variant(problem, 0, random.Random(0))
    seen = []
    for change in changes(problem, variant, random.Random(1)):
        change.apply()
        seen.append(variant.given.x.clone() if problem.direction == "forward" else variant.given.dy.clone())
        for told, true in zip(change.expected(), truth(problem, variant.given), strict=True):
            assert errors_of(told, true).max_rel < 1e-12
    assert len(seen) >= 7
    assert not any(bits_equal(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_one_position_of_one_sample_has_no_other_contents():
    problem = Problem(N=1, C=8, H=1, W=1, G=2)
    assert list(changes(problem, make_variant(problem, 0, random.Random(0)), random.Random(0))) == []


@pytest.mark.parametrize(
    ("unseen", "control", "slower"),
    [
        ((9.0,) * 7, 1.0, True),
        ((9.0,) * 6 + (1.0,), 1.0, True),
        ((9.0,) * 5 + (1.0,) * 2, 1.0, False),
        ((1.9,) * 7, 1.0, False),
        ((9.0,) * 7, 5.0, False),
    ],
)
def test_slower_means_by_twice_the_control_in_all_pairs_but_one(unseen, control, slower):
    assert Pace(unseen_s=unseen, seen_s=(1.0,) * 7).is_slower_unseen(control) is slower


def challenged(kernel):
    variants = [make_variant(PROBLEM, seed, random.Random(0)) for seed in (0, 1)]
    challenge = Challenge(CpuDevice(), PROBLEM, variants, cold=False, rng=random.Random(2))
    calls = [
        functools.partial(kernel, variant.given.x, 4, variant.given.weight, variant.given.bias, PROBLEM.eps)
        for variant in variants
    ]
    with torch.no_grad():
        told = challenge.of(calls, 1e-5, is_control=False)
    assert all(variant.given.equal(variant.pristine) for variant in variants)
    return told


def test_an_honest_row_passes_and_the_inputs_are_put_back():
    assert challenged(F.group_norm) is None


def test_an_answer_by_address_is_wrong():
    memory = {}

    def replaying(x, *rest):
        return memory.setdefault(x.data_ptr(), F.group_norm(x, *rest)).clone()

    assert challenged(replaying).startswith("wrong for contents it had never seen, at an address it had: error ")


def test_who_keeps_all_outputs_is_named_and_who_turns_between_two_is_not():
    kept, two, turn = [], [torch.empty(2, 8, 5, 3) for _ in range(2)], iter(range(1000))

    def keeping(*args):
        kept.append(F.group_norm(*args))
        return kept[-1]

    def turning(*args):
        return two[next(turn) % 2].copy_(F.group_norm(*args))

    assert challenged(keeping) == "keeps every output that it returned, so memory grows with each call"
    assert challenged(turning) is None
