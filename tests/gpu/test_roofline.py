"""The roofline model: its algebra, its order, and that what is committed of it is what it says."""

import contextlib
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import roofline
from goals import cells
from roofline import H100, H200, IMPLEMENTATIONS, copy_s, fraction, group_class, held_bytes, predict

from bench.plan.problem import Problem

FLUX = Problem(N=1, C=128, H=1024, W=1024, G=32, dtype="bfloat16")
PREDICTED = Path(__file__).parents[2] / "docs/measurements/2026-11-25-predicted-unmeasured.md"


def test_what_must_be_held():
    assert held_bytes(FLUX) == 4 * 2**20 * 2
    assert held_bytes(replace(FLUX, direction="backward")) == 2 * held_bytes(FLUX)
    # Four channels of 2 bytes are 8 bytes: 64 bytes are eight groups.
    assert held_bytes(replace(FLUX, layout="channels_last")) == 8 * held_bytes(FLUX)
    # 20 bytes a group: 320 are both whole groups and whole sectors.
    odd = Problem(N=2, C=320, H=64, W=64, G=32, dtype="bfloat16", layout="channels_last")
    assert held_bytes(odd) == 160 * 64 * 64 * 2


@pytest.mark.parametrize(
    ("side", "expected"), [(64, "A"), (256, "B"), (1024, "C"), (1536, "C28"), (4096, "D")], ids=str
)
def test_classes_follow_what_is_held(side, expected):
    assert group_class(replace(FLUX, H=side, W=side)) == expected


@pytest.mark.parametrize("device", [H100, H200], ids=lambda one: one.name)
@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_nothing_is_faster_than_a_copy_and_more_bytes_never_take_less(name, device):
    for layout in ("contiguous", "channels_last"):
        for direction in ("forward", "backward"):
            problems = [replace(FLUX, N=n, layout=layout, direction=direction) for n in (1, 2, 4, 8, 64)]
            times = [predict(one, name, device) for one in problems]
            assert times == sorted(times)
            assert all(0 < fraction(one, name, device) < 1 for one in problems)


def test_a_large_cell_is_bound_by_its_bytes():
    """Read once, a copy; read twice, 2/3 of it forward and 3/5 backward, and a little more by what L2 still has."""
    held = replace(FLUX, N=64)
    assert fraction(held, "cuda", H100) == pytest.approx(1, abs=1e-3)
    assert fraction(held, "triton", H100) == pytest.approx(2 / 3, abs=3e-3)
    assert fraction(replace(held, direction="backward"), "triton", H100) == pytest.approx(3 / 5, abs=3e-3)


def test_copies_cost_a_launch_and_their_bytes():
    assert copy_s(3.0e12, H100) - copy_s(0, H100) == pytest.approx(1.0)
    assert copy_s(0, H100) == copy_s(0, H200) == pytest.approx(2e-6)


@pytest.mark.parametrize("device", [H100, H200], ids=lambda one: one.name)
def test_twice_the_rate_is_at_most_twice_as_fast(device):
    doubled = replace(device, copy_rate=2 * device.copy_rate)
    for _, problem in cells():
        for name in IMPLEMENTATIONS:
            assert 1 <= predict(problem, name, device) / predict(problem, name, doubled) <= 2


def test_published_figures_of_native_are_met_within_a_tenth():
    """SGLang's, eager GroupNorm and SiLU: HunyuanVideo's cell on an H200, LTX-2's on an H100; one constant for both."""
    hunyuan = replace(FLUX, H=5120, W=256, activation="silu")
    ltx = replace(FLUX, C=512, H=2880, W=320, activation="silu")
    assert predict(hunyuan, "native", H200) == pytest.approx(4714e-6, rel=0.1)
    assert predict(ltx, "native", H100) == pytest.approx(13711e-6, rel=0.1)


def test_an_implementation_that_it_does_not_know_is_refused():
    with pytest.raises(ValueError, match="'cpp': only cuda, triton, compiled, native"):
        predict(FLUX, "cpp", H100)


def test_what_is_committed_is_what_the_model_says():
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        roofline.main()
    assert PREDICTED.read_text(encoding="utf-8") == text.getvalue()
