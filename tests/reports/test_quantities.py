import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import quantities as q

POWERS = {"f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
sizes = st.floats(min_value=1e-14, max_value=9e14)


def parsed(text, unit="s"):
    number, prefix = re.fullmatch(rf"(-?[\d.]+) ([fpnµmkMGTP]?){unit}", text).groups()
    return float(number) * 10.0 ** POWERS[prefix]


@given(sizes)
def test_a_time_reads_back_within_rounding(value):
    assert parsed(q.seconds(value)) == pytest.approx(value, rel=0.0051)


@given(sizes)
def test_one_to_three_digits_stand_before_the_point(value):
    assert re.match(r"\d{1,3}(\.\d+)? ", q.seconds(value))


@given(sizes, sizes)
def test_a_larger_time_never_reads_smaller(one, other):
    low, high = sorted((one, other))
    assert parsed(q.seconds(low)) <= parsed(q.seconds(high)) * (1 + 1e-12)


@given(sizes)
def test_the_sign_is_never_lost(value):
    assert q.seconds(-value) == f"-{q.seconds(value)}"


@given(st.integers(0, 10**15))
def test_bytes_below_a_thousand_are_exact(value):
    text = q.byte_count(value)
    assert parsed(text, "B") == (value if value < 1000 else pytest.approx(value, rel=0.0051))


@given(st.floats(1e-3, 1e4))
def test_a_ratio_reads_back(value):
    assert float(q.ratio(value).removesuffix("×")) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize("null", [None, math.nan, pd.NA, np.nan])
@pytest.mark.parametrize("write", [q.seconds, q.byte_count, q.bandwidth, q.ratio, q.percent, q.ulp, q.small, q.count])
def test_null_is_a_dash_in_every_unit(write, null):
    assert write(null) == "–"


def test_known_values():
    assert q.seconds(9.996e-4) == "1.00 ms"
    assert q.seconds(0.9999e-3) == "1.00 ms"
    assert q.byte_count(5_242_880) == "5.24 MB"
    assert q.bandwidth(41.2e9) == "41.2 GB/s"
    assert q.ratio_with_interval(1.62, 1.58, 1.66) == "1.62× [1.58, 1.66]"
    assert q.ratio_with_interval(1.62, None, None) == "1.62×"
    assert q.percent(0.021) == "2.1 %"
    assert q.listed([]) == "–"


PROBLEM = {
    "N": 2, "C": 320, "H": 64, "W": 64, "G": 32, "dtype": "float32", "weight_dtype": "float32", "affine": True,
    "eps": 1e-5, "layout": "contiguous", "direction": "forward", "activation": "none", "device": "cpu",
}  # fmt: skip


def test_a_label_leaves_out_defaults_and_what_is_common():
    assert q.problem_label(PROBLEM, {"dtype", "device"}) == "2×320×64×64 G=32"
    special = PROBLEM | {"activation": "silu", "layout": "channels_last", "weight_dtype": "float16", "affine": False}
    assert (
        q.problem_label(special, {"device"}) == "2×320×64×64 G=32 silu float32 weight float16 no affine channels_last"
    )
    assert q.problem_label(PROBLEM | {"eps": 1e-3, "direction": "backward"}, {"dtype"}) == (
        "2×320×64×64 G=32 eps=0.001 backward cpu"
    )
