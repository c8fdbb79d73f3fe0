from hypothesis import given
from hypothesis import strategies as st

from bench.plan.visits import order

KEYS = [f"problem-{place}" for place in range(12)]


def test_known_order():
    # Of another process and for ever: a resumed run goes on in the order in which it began.
    assert order(["a", "b", "c", "d", "e"], 0, 7) == ["d", "a", "c", "b", "e"]


def test_each_pass_and_seed_has_its_own_order():
    orders = {tuple(order(KEYS, pass_, seed)) for pass_ in range(6) for seed in range(3)}
    assert len(orders) == 18
    assert all(sorted(one) == sorted(KEYS) for one in orders)


def test_every_block_comes_first_about_equally_often():
    firsts = [order(KEYS, pass_, 0)[0] for pass_ in range(1200)]
    counts = [firsts.count(key) for key in KEYS]
    assert min(counts) > 60, counts  # 100 expected, standard deviation 9.6
    assert max(counts) < 140, counts


@given(st.permutations(KEYS), st.sets(st.sampled_from(KEYS)))
def test_a_closed_block_disturbs_nobody(keys, closed):
    left = [key for key in order(keys, 3, 0) if key not in closed]
    assert order([key for key in keys if key not in closed], 3, 0) == left
