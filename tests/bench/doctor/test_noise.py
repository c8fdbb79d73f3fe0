"""Equal work against itself: the figures by hand, the measurement for its shape alone."""

import math

import pytest

from bench.doctor import noise
from bench.doctor.noise import Both, Noise, spread


def test_the_floor_is_the_far_end_of_the_interval_of_the_ratio():
    # Log ratios of six windows: three of +d and three of -d. Mean 0, s = d * sqrt(6/5), t of 5 at 97.5 % = 2.570582.
    d = 0.01
    windows = [Both(first_s=[math.exp(sign * d)] * 5, second_s=[1.0] * 5) for sign in (1, -1) * 3]
    reach = 2.570582 * d * math.sqrt(6 / 5) / math.sqrt(6)
    assert spread(windows).floor == pytest.approx(math.exp(reach) - 1, rel=1e-6)


def test_the_spread_is_the_slow_tail_over_the_median():
    windows = [Both(first_s=[1.0] * 9 + [3.0], second_s=[1.0] * 9 + [3.0])] * 2
    found = spread(windows)
    assert (found.median_s, found.spread) == (1.0, pytest.approx(2.0))


def test_one_window_has_no_floor():
    one = spread([Both(first_s=[1.0, 1.0], second_s=[1.0, 1.0])])
    assert one.floor is None
    other = spread([Both(first_s=[1.0], second_s=[1.0])] * 3)
    disturbance = None
    assert Noise(memory=one, arithmetic=other, disturbance=disturbance).floor is None
    assert Noise(memory=other, arithmetic=other, disturbance=disturbance).floor == 0.0


def test_every_window_has_both_kinds_in_five_rounds_or_more(monkeypatch):
    windows = []
    real = noise._window
    monkeypatch.setattr(noise, "_window", lambda *given: windows.append(real(*given)) or windows[-1])
    found = noise.measure(seconds=0.0)
    assert len(windows) == noise.WINDOWS
    for window in windows:
        assert {kind: (len(both.first_s), len(both.second_s)) for kind, both in window.items()} == {
            "copy": (5, 5),
            "sine": (5, 5),
        }
    assert found.floor > 0
    assert found.disturbance.seconds > 0
