import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import quantities as q

PREFIX = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
POSITIVE = st.floats(1e-12, 1e12)


def parsed(text):
    number, prefix = re.fullmatch(r"(\S+) ([fpnµmkMGTP]?)s", text).groups()
    return float(number) * 10.0 ** PREFIX[prefix]


@given(POSITIVE)
def test_a_written_time_reads_back_within_rounding(value):
    assert parsed(q.seconds(value)) == pytest.approx(value, rel=0.006)


@given(POSITIVE, POSITIVE)
def test_writing_keeps_the_order(one, other):
    if one < other:
        assert parsed(q.seconds(one)) <= parsed(q.seconds(other))


@given(POSITIVE)
def test_three_digits_stand_whatever_the_size(value):
    assert len(q.seconds(value).split()[0].replace(".", "")) == 3


@pytest.mark.parametrize("write", [q.seconds, q.byte_count, q.bandwidth, q.ratio, q.percent, q.ulp])
def test_null_is_a_dash_and_never_a_zero(write):
    assert write(None) == write(float("nan")) == "–"


def test_an_interval_without_ends_is_not_written():
    assert q.ratio_with_interval(1.62, None, None) == "1.62×"


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "2×320×64×64 G=32 float32"),
        ({"activation": "silu", "layout": "channels_last"}, "2×320×64×64 G=32 silu float32 channels_last"),
        ({"eps": 1e-6}, "2×320×64×64 G=32 float32 eps=1e-06"),
    ],
)
def test_a_problems_label_leaves_out_the_usual(changes, label):
    problem = {"N": 2, "C": 320, "H": 64, "W": 64, "G": 32, "dtype": "float32", "weight_dtype": "float32"}
    problem |= {"affine": True, "eps": 1e-5, "layout": "contiguous", "direction": "forward", "activation": "none"}
    assert q.problem_label(problem | {"device": "cpu"} | changes, common={"device"}) == label
