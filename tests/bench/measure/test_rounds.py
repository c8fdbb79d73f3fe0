import math
import random
from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import Device, measure

from bench.measure.rounds import Rounds, balanced_orders, calls_for, paired_orders, rounds_for


def names(n):
    return [f"kernel-{place}" for place in range(n)]


def designs(n, seed, how_many=1):
    size = n if n % 2 == 0 or n == 1 else 2 * n
    return size, list(islice(balanced_orders(names(n), random.Random(seed)), size * how_many))


@given(st.integers(1, 12), st.integers(0, 99), st.integers(1, 3))
def test_each_name_stands_in_each_position_equally_often(n, seed, how_many):
    size, orders = designs(n, seed, how_many)
    for position in range(n):
        assert Counter(order[position] for order in orders) == dict.fromkeys(names(n), how_many * size // n)


@given(st.integers(2, 12), st.integers(0, 99), st.integers(1, 3))
def test_each_name_follows_each_other_equally_often(n, seed, how_many):
    size, orders = designs(n, seed, how_many)
    followed = Counter(pair for order in orders for pair in pairwise(order))
    assert len(followed) == n * (n - 1)
    assert set(followed.values()) == {how_many * size // n}


@given(st.integers(1, 6), st.integers(0, 99))
def test_half_an_odd_design_balances_the_positions(half, seed):
    n = 2 * half + 1
    _, orders = designs(n, seed)
    for square in (orders[:n], orders[n:]):
        assert all(len({order[position] for order in square}) == n for position in range(n))


def test_orders_differ_by_design_and_by_seed_and_are_the_same_again():
    _, first = designs(6, 0, how_many=2)
    assert first == designs(6, 0, how_many=2)[1]
    assert first[:6] != first[6:]
    assert first != designs(6, 1, how_many=2)[1]


def test_no_names_have_no_orders():
    assert list(balanced_orders([], random.Random(0))) == []


@pytest.mark.parametrize(
    ("call_s", "clock_s", "batch_s", "calls"),
    [
        (1.0, 0.0, 0.0, 1),
        (2.0**-10, 0.0, 1.0, 1024),  # the least batch decides
        (0.75, 0.0, 1.0, 2),
        (1.0, 2.0**-7, 0.0, 1),  # 0.78 % for the clock already
        (0.5, 2.0**-7, 0.0, 2),  # one call would leave it 1.56 %
        (0.25, 0.0025, 0.0, 2),  # exactly 1 % is not below it
        (2.0**-20, 2.0**-20, 0.0, 101),
        (2.0**-20, 2.0**-20, 2.0**-10, 1024),
    ],
)
def test_calls_of_a_batch(call_s, clock_s, batch_s, calls):
    assert calls_for(call_s, clock_s=clock_s, batch_s=batch_s) == calls


@given(st.floats(1e-9, 1e2), st.floats(0, 1e-5), st.floats(0, 1e-2))
def test_a_batch_is_long_enough_and_no_longer(call_s, clock_s, batch_s):
    def enough(calls):
        return calls >= 1 and clock_s < 0.01 * calls * call_s * (1 + 1e-9) and calls * call_s * (1 + 1e-9) >= batch_s

    calls = calls_for(call_s, clock_s=clock_s, batch_s=batch_s)
    assert enough(calls)
    slack = math.ceil(1e-9 * calls)
    assert calls == 1 or not enough(calls - 1 - slack)


def test_a_call_without_time_is_refused():
    with pytest.raises(ValueError, match="0 s, which is no time"):
        calls_for(0, clock_s=1e-7, batch_s=1e-3)


@pytest.mark.parametrize(
    ("round_s", "share_s", "rounds"), [(1, 8.9, 8), (1, 2, 5), (1, 99, 12), (0, 1, 12), (100, 1, 5)]
)
def test_rounds_of_a_visit(round_s, share_s, rounds):
    assert rounds_for(round_s, share_s) == rounds


def test_rounds_end_when_enough_were_timed():
    rounds = Rounds({"a": 2, "b": 8}, 3, random.Random(0))
    for _ in range(3):
        assert dict(rounds.next()) == {"a": 2, "b": 8}
        rounds.record()
    assert rounds.next() is None
    assert rounds.finished == 3


def test_a_round_not_recorded_is_given_again():
    rounds = Rounds(dict.fromkeys(names(6), 1), 2, random.Random(0))
    assert rounds.next() == rounds.next()


def test_a_name_that_leaves_voids_the_open_round_alone():
    rounds = Rounds({"a": 1, "b": 1, "c": 1}, 2, random.Random(0))
    rounds.next()
    rounds.record()
    rounds.next()
    rounds.drop("b")
    assert {name for name, _ in rounds.next()} == {"a", "c"}
    rounds.record()
    assert rounds.next() is None
    assert rounds.finished == 2


def test_when_all_have_left_there_is_no_round():
    rounds = Rounds({"a": 1}, 2, random.Random(0))
    rounds.drop("a")
    assert rounds.next() is None


def test_what_was_not_given_cannot_have_been_timed():
    with pytest.raises(ValueError, match="no round was given"):
        Rounds({"a": 1, "b": 1}, 2, random.Random(0)).record()


def test_a_simulated_device_without_noise_gives_its_times_back():
    device = Device(base_s={"fast": 1e-3, "slow": 4e-3})
    timings = measure(Rounds({"fast": 4, "slow": 1}, 5, random.Random(0)), device.launch(np.random.default_rng(0)))
    assert timings == {"fast": pytest.approx([1e-3] * 5), "slow": pytest.approx([4e-3] * 5)}


def test_a_struck_round_is_given_again_and_counts_for_nothing():
    rounds = Rounds({"a": 8, "b": 8}, 2, random.Random(0))
    first = rounds.next()
    rounds.strike()
    assert rounds.next() == first
    rounds.record()
    assert rounds.finished == 1


def test_rounds_end_where_too_many_are_struck():
    rounds = Rounds({"a": 1}, 3, random.Random(0))
    given = 0
    while rounds.next() is not None:
        rounds.strike()
        given += 1
    assert given == 6


def test_batches_are_shortened_once_and_never_below_a_call():
    rounds = Rounds({"a": 100, "b": 2}, 5, random.Random(0))
    assert not rounds.wants_shorter
    rounds.next()
    rounds.strike()
    assert rounds.wants_shorter
    rounds.shorten()
    assert dict(rounds.next()) == {"a": 6, "b": 1}
    rounds.strike()
    assert not rounds.wants_shorter


def test_where_three_rounds_are_whole_their_length_stays():
    rounds = Rounds({"a": 100}, 9, random.Random(0))
    for _ in range(3):
        rounds.next()
        rounds.record()
    for _ in range(9):
        rounds.next()
        rounds.strike()
    assert not rounds.wants_shorter


def test_single_calls_cannot_be_shortened():
    rounds = Rounds({"a": 1}, 5, random.Random(0))
    for _ in range(4):
        rounds.strike()
    assert not rounds.wants_shorter


ROWS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True)


@given(rows=ROWS, seed=st.integers(0, 1000))
def test_the_sides_of_a_row_are_neighbours_and_each_is_first_as_often(rows, seed):
    """Over two orders, that is; the balance is exact and not only expected."""
    names = [f"{row}@{side}" for row in rows for side in ("base", "head")]
    firsts = Counter()
    for order in islice(paired_orders(names, random.Random(seed)), 2 * len(rows)):
        assert sorted(order) == sorted(names)
        for one, other in zip(order[::2], order[1::2], strict=True):
            assert one.partition("@")[0] == other.partition("@")[0]
            firsts[one] += 1
    assert set(firsts.values()) == {len(rows)}


def test_a_name_whose_other_side_fell_stands_alone():
    orders = islice(paired_orders(["a@base", "b@base", "b@head"], random.Random(0)), 8)
    assert all(abs(order.index("b@base") - order.index("b@head")) == 1 for order in orders)
