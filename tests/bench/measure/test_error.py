import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.error import Tolerance, errors_of, judge, ulp_at

TRUTH = torch.tensor([1.0, -3.0], dtype=torch.float64)
DTYPES = (torch.float32,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@given(magnitude=st.floats(2.0**-10, 2.0**10))
def test_an_ulp_is_the_distance_to_the_next_number(dtype, magnitude):
    value = torch.tensor(magnitude, dtype=dtype)
    up = torch.nextafter(value.float(), torch.tensor(math.inf)) if dtype == torch.float32 else None
    if up is not None:
        assert ulp_at(value.item(), dtype) == (up.double() - value.double()).item()
    assert (value + ulp_at(value.item(), dtype)).item() > value.item()
    assert (value + ulp_at(value.item(), dtype) / 4).item() == value.item()


def test_errors_are_over_the_truths_largest_magnitude():
    errors = errors_of(torch.tensor([1.0, -3.0 + 2.0**-20]), TRUTH)
    assert errors.max_abs == 2.0**-20
    assert errors.max_rel == 2.0**-20 / 3
    assert errors.rms == pytest.approx(2.0**-20 / math.sqrt(2) / 3)
    assert errors.ulp == 4  # an ULP at 3 is 2**-22


def test_no_elements_have_no_error():
    assert errors_of(torch.empty(0), torch.empty(0, dtype=torch.float64)).max_abs == 0


def test_the_tolerance_is_twice_natives_error_and_one_ulp():
    native = torch.tensor([1.0 + 2.0**-21, -3.0])
    assert Tolerance.beside([native], [TRUTH], DTYPES, [1]).max_abs == (2 * 2.0**-21 + 2.0**-22,)


def test_summing_many_numbers_in_float32_is_allowed_its_roundings():
    tolerance = Tolerance.beside([TRUTH.float()], [TRUTH], DTYPES, [2**20])
    assert tolerance.max_abs == ((20 + 4) * 2.0**-24 * 3,)


@pytest.mark.parametrize("native", [None, [torch.tensor([torch.nan, 1.0])]])
def test_without_a_finite_native_it_is_four_ulp(native):
    assert Tolerance.beside(native, [TRUTH], DTYPES, [1]).max_abs == (4 * 2.0**-22,)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, "returned NoneType, not a tensor"),
        (torch.zeros(3), "returned shape (3,) where (2,) was expected"),
        (TRUTH, "returned torch.float64 where torch.float32 was expected"),
        (torch.tensor([1.0, torch.inf]), "1 of 2 values are not finite where the oracle's are, or the reverse"),
        ((TRUTH, TRUTH), "returned 2 tensors where 1 were expected"),
        (torch.tensor([1.0, -2.0]), "error 1 (4.19e+06 ULP) where 1e-06 is allowed"),
        (TRUTH.float(), None),
    ],
)
def test_what_is_wrong_is_said(output, reason):
    assert judge(output, [TRUTH], DTYPES, Tolerance(max_abs=(1e-6,))).wrong == reason


def test_equal_infinities_are_right():
    truth = torch.tensor([torch.inf, 1.0], dtype=torch.float64)
    judgement = judge(truth.float(), [truth], DTYPES, Tolerance(max_abs=(0.0,)))
    assert judgement.wrong is None
    assert judgement.errors.max_abs == 0
