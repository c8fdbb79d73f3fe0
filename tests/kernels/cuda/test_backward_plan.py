"""A backward plan owns each entry once, keeps a GPU's limits, and a sample's cut does not depend on the batch."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kernels.cuda.backward_plan import plan

problems = st.fixed_dictionaries(
    {
        "N": st.integers(1, 64),
        "C": st.integers(1, 12).map(lambda factor: 24 * factor) | st.sampled_from([7, 66, 8192]),
        "G": st.sampled_from([1]) | st.just(None),
        "positions": st.integers(1, 5000) | st.sampled_from([2**16, 2**20, 2**31 - 1]),
        "channels_last": st.booleans(),
        "itemsize": st.sampled_from([2, 4]),
    }
).map(lambda problem: {**problem, "G": problem["G"] or math.gcd(problem["C"], 8)})


@given(problems, st.booleans(), st.booleans(), st.sampled_from([2, 4, 8, 16]))
def test_limits_are_kept(problem, needs_dx, needs_parameters, alignment):
    assume(problem["N"] * problem["C"] * problem["positions"] < 2**40)  # 2 TB: no GPU has that
    made = plan(**problem, needs_dx=needs_dx, needs_parameters=needs_parameters, alignment=alignment)
    assert made.vector * problem["itemsize"] <= max(problem["itemsize"], alignment)
    assert (problem["C"] if problem["channels_last"] else problem["positions"]) % made.vector == 0
    assert all(0 <= number < 2**31 for number in (*made.numbers, *made.combined))
    for launch in made.launches:
        assert 0 < launch.grid < 2**31
        assert launch.block % 32 == 0
        assert 32 <= launch.block <= (192 if problem["channels_last"] else 256)
        assert launch.shared_bytes <= 49152


@given(problems)
def test_every_position_is_in_one_entry_and_every_entry_in_one_block(problem):
    made = plan(**problem)
    C, D, positions, tile, stretches, stretch, each, width, team = made.numbers
    assert C % tile == tile % D == 0
    unit = 1 if problem["channels_last"] else made.vector
    assert (stretches - 1) * stretch * unit < positions <= stretches * stretch * unit
    if problem["channels_last"]:
        assert team == stretches
        assert tile % made.vector == 0
        assert width <= made.launches[0].block
    else:
        assert (team - 1) * each < tile * stretches <= team * each
        assert 32 % width == 0
    walks = [launch for launch in made.launches if launch.kernel != "combine"]
    assert {launch.grid for launch in walks} == {problem["N"] * (C // tile) * team}


@given(problems, st.integers(1, 64))
def test_a_sample_is_cut_alike_in_any_batch(problem, N):
    assert plan(**problem).numbers == plan(**{**problem, "N": N}).numbers


@pytest.mark.parametrize(
    ("wants", "kernels"),
    [
        ((True, True), ["sums", "combine", "apply"]),
        ((True, False), ["sums", "combine", "apply"]),
        ((False, True), ["sums", "combine"]),
    ],
)
def test_only_what_is_wanted_is_launched(wants, kernels):
    shape = {"N": 1, "C": 128, "G": 32, "channels_last": False, "itemsize": 2}
    big = plan(**shape, positions=2**20, needs_dx=wants[0], needs_parameters=wants[1])
    assert [launch.kernel for launch in big.launches] == kernels
    small = plan(**shape, positions=256, needs_dx=wants[0], needs_parameters=wants[1])
    assert [launch.kernel for launch in small.launches] == {
        (True, True): ["together", "combine"],
        (True, False): ["together"],
        (False, True): ["sums", "combine"],
    }[wants]
    assert small.partials == (128 if wants[1] else 0)


def test_a_channel_has_fewer_than_2_to_the_31_positions():
    with pytest.raises(ValueError, match="x: 2147483648 positions; fewer than 2\\^31 are wanted"):
        plan(N=1, C=1, G=1, positions=2**31, channels_last=False, itemsize=4)
