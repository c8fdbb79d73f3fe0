"""A trace is a file that opens, its ranges hold what they say, and bytes touched are counted or refused."""

import gzip
import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from bench.devices.cpu import CpuDevice
from bench.measure import ranges
from bench.measure.call import bind
from bench.measure.inputs import make_inputs
from bench.measure.messages import Profile
from bench.measure.trace import OUTSIDE, profiled, repeated
from bench.plan.problem import Problem
from kernels.naive import group_norm as naive
from kernels.native import group_norm as native

PROBLEM = Problem(N=2, C=8, H=6, W=5, G=4)
DEVICE = CpuDevice()


def call_of(kernel, problem=PROBLEM):
    return bind(kernel, problem, make_inputs(problem, 1).copy(random.Random(0)))


@pytest.fixture
def request_(tmp_path):
    return Profile(
        name="naive",
        title=f"naive {PROBLEM.key}",
        calls=6,
        path=str(tmp_path / "naive.json.gz"),
        most_bytes=50_000_000,
        least_bytes=2 * PROBLEM.input_bytes,
    )


def events(request):
    with gzip.open(request.path) as file:
        return json.load(file)["traceEvents"]


def test_a_trace_opens_and_its_ranges_are_nested_and_whole(request_):
    told = profiled(call_of(naive), request_, DEVICE)
    assert told.calls == 6
    assert told.trace_bytes < 50_000_000
    complete = [event for event in events(request_) if event["ph"] == "X"]
    assert all(event["dur"] >= 0 for event in complete)
    (measured,) = [event for event in complete if event["name"] == f"naive {PROBLEM.key} measure"]
    calls = [event for event in complete if event["name"] == "call"]
    assert len(calls) == 6
    ends = [(event["ts"], event["ts"] + event["dur"]) for event in (measured, *calls)]
    assert all(ends[0][0] <= begin <= end <= ends[0][1] for begin, end in ends[1:])
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends[1:]))
    assert {event["ph"] for event in events(request_)} & {"B", "E"} == set()


def test_every_operator_of_the_trace_has_its_calls_and_the_rest_is_outside(request_):
    told = profiled(call_of(naive), request_, DEVICE)
    calls = {one.name: one.calls for one in told.kernels}
    assert calls[OUTSIDE] == 6
    assert calls["aten::rsqrt"] == 6
    assert request_.title not in " ".join(calls)
    total_s = sum(one.self_s for one in told.kernels)
    assert 0 < total_s <= told.seconds


def test_calls_are_halved_until_the_trace_is_small_enough(request_):
    whole = profiled(call_of(naive), request_, DEVICE)
    with gzip.open(request_.path) as file:
        size = len(file.read())
    told = profiled(call_of(naive), replace(request_, most_bytes=size * 2 // 3), DEVICE)
    assert (whole.calls, told.calls) == (6, 3)
    assert sum(event["name"] == "call" for event in events(request_)) == 3


def test_one_call_that_is_too_large_is_refused_and_leaves_no_file(request_, tmp_path):
    with pytest.raises(RuntimeError, match=r"one call alone makes a trace above 100 bytes"):
        profiled(call_of(naive), replace(request_, most_bytes=100), DEVICE)
    assert list(tmp_path.iterdir()) == []


def touched(call, request):
    told = profiled(call, request, DEVICE)
    return told.touched_bytes, told.touched_reason


def test_native_touches_the_least_and_its_statistics(request_):
    statistics = PROBLEM.statistics_bytes
    assert touched(call_of(native), request_) == (PROBLEM.minimum_bytes + statistics, None)
    backward = replace(PROBLEM, direction="backward")
    assert touched(call_of(native, backward), request_) == (backward.minimum_bytes, None)


def test_out_and_in_place_operators_are_counted_once_for_each_way(request_):
    x, y = torch.ones(1000), torch.empty(1000)
    assert touched(lambda: torch.add(x, x, out=y), request_) == (3 * 4000, None)
    assert touched(lambda: torch.relu_(y), request_) == (2 * 4000, None)
    assert touched(lambda: torch.add(x.view(10, 100).t(), x[:1].expand(100, 10)), request_) == (2 * 4000 + 4, None)


def test_allocation_and_views_move_nothing(request_):
    x = torch.ones(1000)
    number, reason = touched(lambda: torch.empty_like(x).view(10, 100), replace(request_, least_bytes=1))
    assert number is None
    assert reason == "its kernels are not torch's operators, so what they touch is not seen"


def test_a_call_that_runs_otherwise_while_watched_has_no_bytes(request_):
    from torch.utils._python_dispatch import _get_current_dispatch_mode

    x = torch.ones(1000)
    number, reason = touched(lambda: x.cos() if _get_current_dispatch_mode() else x.sin(), request_)
    assert number is None
    assert reason == "runs otherwise while its operators are watched (aten::cos is not in the trace)"


def test_a_call_that_cannot_be_watched_has_no_bytes(request_):
    from torch.utils._python_dispatch import _get_current_dispatch_mode

    def refuse():
        if _get_current_dispatch_mode():
            raise RuntimeError("no mode, please")
        return torch.ones(3)

    assert touched(refuse, request_) == (None, "cannot be called while its operators are watched (RuntimeError)")


def test_repeated_calls_are_as_many_as_asked_for():
    made = []
    assert repeated(lambda: made.append(1), 17, DEVICE).seconds >= 0
    assert len(made) == 17


def test_a_timeline_shows_title_and_phase_in_the_suites_domain(monkeypatch):
    seen = []

    class Range:
        def __init__(self, name, domain):
            self.name = name
            seen.append(("begin", name, domain))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            seen.append(("end", self.name))

    monkeypatch.setattr(ranges.nvtx, "annotate", Range)
    monkeypatch.setattr(ranges.nvtx, "start_range", Range)
    monkeypatch.setattr(ranges.nvtx, "end_range", lambda range_: range_.__exit__())
    with ranges.measured("cpp N1-C8"):
        seen.append("calls")
    assert seen == [
        ("begin", "cpp N1-C8", "groupnorm_bench"),
        ("begin", "measure", "groupnorm_bench"),
        "calls",
        ("end", "measure"),
        ("end", "cpp N1-C8"),
    ]
