"""Rows of rounds whose answer is known by hand."""

import pytest

from bench.study.timing import Block, Pass, rows

BLOCK = Block(
    network="tutorial", batch_size=8, image_size=8,
    variants=(("none", None), ("batch", None), ("group:8", "native"), ("group:8", "cpp")),
)  # fmt: skip


def test_steps_shares_and_factors_are_paired_by_round():
    # The machine slows down by half in the second pass: no ratio moves.
    passes = [
        Pass(seconds=[[slow * of_step] * 3 for of_step in (0.8, 1.6, 1.0, 0.9)], peak_bytes=[1, 2, 3, 4])
        for slow in (1.0, 1.5)
    ]
    none, batch, native, cpp = rows(BLOCK, passes, study_id="s", threads=1)
    assert (native.norm, native.groups, native.implementation) == ("group", 8, "native")
    assert native.step_s == pytest.approx(1.5**0.5)
    assert [row.norm_share for row in (batch, native, cpp)] == [
        pytest.approx(0.5),
        pytest.approx(0.2),
        pytest.approx(1 / 9),
    ]
    assert none.norm_share is None
    assert [row.reference for row in (none, batch, native, cpp)] == [
        "group:8 by native",
        "group:8 by native",
        None,
        "group:8 by native",
    ]
    assert (cpp.speedup, cpp.speedup_low, cpp.speedup_high) == (pytest.approx(1 / 0.9),) * 3
    assert batch.speedup == pytest.approx(1 / 1.6)
    assert [row.peak_bytes for row in (none, batch, native, cpp)] == [1, 2, 3, 4]
    assert (cpp.passes, cpp.rounds) == (2, 6)


def test_a_norm_that_saves_nothing_has_no_share():
    (_, batch, *_) = rows(
        BLOCK, [Pass(seconds=[[1.0], [0.9], [1.0], [1.0]], peak_bytes=[None] * 4)], study_id="s", threads=1
    )
    assert batch.norm_share == 0
    assert batch.speedup_low is None
