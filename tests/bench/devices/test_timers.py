"""Who times what, and what is missing."""

import re

import pytest

from bench.devices import timers
from bench.devices.environment import timer_of
from bench.devices.timers import EXTRAS, TIMERS, refuse_what_cannot_time
from bench.errors import UsageError
from bench.plan.config import TIMERS as WORDS


@pytest.mark.parametrize(
    ("device", "timer", "sustained", "message"),
    [
        ("cpu", "events", False, "--timer: 'events' does not measure cpu here; use host"),
        ("cuda", "host", False, "--timer: 'host' does not measure cuda here; use events, graph, cupti or nvbench"),
        ("cpu", None, True, "--sustained: cpu has no clock that a stretch of load would settle; leave it out"),
        (
            "cuda",
            "cupti",
            False,
            "--timer: 'cupti' needs cupti-python, which is not installed; pip install 'groupnorm-bench[cupti]'",
        ),
        (
            "cuda",
            "nvbench",
            True,
            "--timer: 'nvbench' needs cuda-bench, which is not installed; pip install 'groupnorm-bench[nvbench]'",
        ),
    ],
)
def test_what_is_refused(device, timer, sustained, message, monkeypatch):
    monkeypatch.setattr(timers, "find_spec", lambda module: None)
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        refuse_what_cannot_time(device, timer, sustained=sustained)


@pytest.mark.parametrize(("device", "timer"), [("cpu", None), ("cpu", "host"), ("cuda", None), ("cuda", "graph")])
def test_what_is_not(device, timer):
    refuse_what_cannot_time(device, timer, sustained=device == "cuda")


def test_a_package_below_a_missing_one_is_missing(monkeypatch):
    def find_spec(module):
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(timers, "find_spec", find_spec)
    with pytest.raises(UsageError, match="cuda-bench"):
        refuse_what_cannot_time("cuda", "nvbench", sustained=False)


def test_every_word_of_a_timer_is_some_devices_and_the_first_is_its_own():
    assert sorted(WORDS) == sorted(timer for own in TIMERS.values() for timer in own)
    assert all(own[0] == timer_of(device) for device, own in TIMERS.items())
    assert set(EXTRAS) < set(TIMERS["cuda"])
