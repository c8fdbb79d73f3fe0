from hypothesis import given
from hypothesis import strategies as st

from bench.plan.stretches import lengths

SECONDS = st.lists(st.floats(0.01, 200), max_size=60)


@given(SECONDS)
def test_every_block_is_in_one_stretch_and_each_lasts_long_enough_unless_it_is_the_only_one(seconds):
    found = lengths(seconds, 60.0)
    assert sum(found) == len(seconds)
    start = 0
    for length in found:
        assert length >= 1
        assert len(found) == 1 or sum(seconds[start : start + length]) >= 60.0
        start += length


@given(st.lists(st.floats(0.01, 200), max_size=60).filter(lambda seconds: sum(seconds) < 60))
def test_a_small_sweep_is_one_stretch(seconds):
    assert len(lengths(seconds, 60.0)) <= 1


def test_what_is_left_joins_the_last_stretch():
    assert lengths([30, 30, 30, 40, 10], 60) == [2, 3]
