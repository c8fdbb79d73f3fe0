"""A graph is timed where it runs what the calls run, and refused where it does not."""

import pytest
from fake_cuda import FakeCuda

from bench.devices.base import TimingRefused, Turns
from bench.devices.cuda.events import Held
from bench.devices.cuda.graph import GraphTimer, copies_for

MIB = 1 << 20


def timer_on(cuda):
    return GraphTimer(cuda, Held(cuda, lambda: None))


def refusal(cuda, call, *, cold=False):
    with pytest.raises(TimingRefused) as refused:
        timer_on(cuda).time(call, 10, cold=cold)
    return refused.value.status, str(refused.value)


@pytest.mark.parametrize("calls", [1, 20, 33, 1000])
def test_a_replay_shows_no_launches(calls):
    cuda = FakeCuda(latency_us=5.0)
    timed = timer_on(cuda).time(lambda: cuda.launch("norm", 2.0), calls, cold=False)
    assert timed.seconds / calls == pytest.approx(2e-6)


def test_a_call_is_recorded_once_until_it_is_forgotten():
    cuda = FakeCuda()
    made = []

    def call():
        made.append(1)
        cuda.launch("norm", 2.0)

    timer = timer_on(cuda)
    for _ in range(3):
        timer.time(call, 100, cold=False)
    assert len(made) == 1 + 20  # once eagerly, a graph of twenty
    timer.forget()
    timer.time(call, 100, cold=False)
    assert len(made) == 2 * (1 + 20)


def test_a_kernel_that_is_not_in_the_graph_is_found():
    cuda = FakeCuda()

    def skipping():
        cuda.launch("statistics", 2.0, captured=False)
        cuda.launch("normalize", 2.0)

    assert refusal(cuda, skipping) == (
        "inconsistent",
        "a replay of 20 calls runs 20 operations on the device where the calls run 40: "
        "what is not in the graph is not timed",
    )


def test_a_call_that_remembers_its_answer_has_nothing_to_replay():
    cuda = FakeCuda()
    calls = []

    def remembering():
        if not calls:
            cuda.launch("norm", 2.0)
        calls.append(1)

    status, reason = refusal(cuda, remembering)
    assert status == "inconsistent"
    assert "runs 0 operations" in reason


def test_a_call_that_runs_nothing_is_refused():
    assert refusal(FakeCuda(), lambda: None) == (
        "failed",
        "ran nothing on the device when called, so there is nothing to replay",
    )


def test_a_call_that_cannot_be_captured_is_refused_in_one_line():
    cuda = FakeCuda()

    def waiting():
        cuda.launch("norm", 2.0)
        cuda.synchronize()

    assert refusal(cuda, waiting) == (
        "failed",
        "cannot be captured in a CUDA graph: operation not permitted when stream is capturing",
    )


def turns(cuda, copies, input_bytes):
    def bound(address):
        return lambda: cuda.launch(f"norm {address}", 2.0, reads=address, cold_us=9.0)

    return Turns([bound(address) for address in range(copies)], input_bytes)


def test_a_cold_replay_goes_through_every_copy():
    cuda = FakeCuda(l2=MIB)
    timer_on(cuda).time(turns(cuda, 40, MIB // 8), 40, cold=True)
    eager, replay = cuda.ran[:40], cuda.ran[40:80]
    assert len(set(eager)) == len(set(replay)) == 40


@pytest.mark.parametrize("copies", [1, 39])
def test_a_replay_that_touches_less_than_five_caches_is_not_cold(copies):
    status, reason = refusal(FakeCuda(l2=MIB), turns(FakeCuda(), copies, MIB // 8), cold=True)
    assert status == "failed"
    assert reason == (
        f"{copies} copies of its inputs are {copies * MIB // 8:,} bytes where 5,242,880 make a replay cold: "
        "use --timer events, or --cache warm"
    )


def test_a_call_without_copies_is_never_cold():
    cuda = FakeCuda()
    assert refusal(cuda, lambda: cuda.launch("norm", 2.0), cold=True)[0] == "failed"


@pytest.mark.parametrize(("input_bytes", "copies"), [(10 * MIB, 25), (1000 * MIB, 1), (1, 512)])
def test_copies_are_five_caches_and_not_without_end(input_bytes, copies):
    assert copies_for(input_bytes, 50 * MIB) == copies
