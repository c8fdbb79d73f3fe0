"""First calls: a planted slower start, an equal one, and one that nobody would notice."""

import math
import random

import pytest

from bench.gate.first_call import GRAIN_S, first_calls
from bench.stats.anytime import anytime_interval
from reports.gate_schema import Word

GROWTH = {"cpp": 0.5}


def starts(base_s, head_s, number=12, spread=0.1):
    """Starts whose first calls lie ``spread`` above and below in turn, head's against base's."""
    signs = [(-1) ** start for start in range(number)]
    return {"cpp": [(base_s * math.exp(spread * sign), head_s * math.exp(-spread * sign)) for sign in signs]}


@pytest.mark.parametrize(
    ("base_s", "head_s", "word"),
    [
        (0.1, 0.1, Word.UNCHANGED),
        (0.1, 0.14, Word.UNCHANGED),
        (0.1, 0.4, Word.REGRESSED),
        (0.4, 0.1, Word.IMPROVED),
        (1e-4, 4e-4, Word.UNCHANGED),
        (GRAIN_S / 10, GRAIN_S * 1.05, Word.UNCHANGED),
    ],
)
def test_a_start_that_somebody_waits_for_is_told(base_s, head_s, word):
    found = first_calls(starts(base_s, head_s), GROWTH, 0.01)["cpp"]
    assert found.word == word
    assert (found.base_s, found.head_s, found.starts) == (pytest.approx(base_s), pytest.approx(head_s), 12)
    assert found.change.centre == pytest.approx(head_s / base_s)


def test_too_few_starts_condemn_nobody():
    (found,) = first_calls(starts(0.1, 100.0, number=2), GROWTH, 0.01).values()
    assert found.word == Word.UNCHANGED
    assert first_calls({"cpp": []}, GROWTH, 0.01) == {}


def test_rows_share_their_part_of_alpha():
    one = first_calls(starts(0.1, 0.2), GROWTH, 0.01)["cpp"].change
    two = first_calls(starts(0.1, 0.2), GROWTH | {"triton": 0.5}, 0.01)["cpp"].change
    expected = anytime_interval([math.log(b / a) for a, b in starts(0.1, 0.2)["cpp"]], 0.01 * 0.05 / 2)
    assert two == expected.exp()
    assert two.high > one.high


def test_equal_code_whose_starts_are_a_third_apart_is_left_alone():
    rng = random.Random(1)
    alarms = 0
    for _ in range(300):
        made = [tuple(0.2 * math.exp(rng.gauss(0, 0.3)) for _ in range(2)) for _ in range(15)]
        alarms += first_calls({"cpp": made}, GROWTH, 0.01)["cpp"].word == Word.REGRESSED
    assert alarms == 0
