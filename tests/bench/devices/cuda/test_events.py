"""What events say of kernels whose durations are known."""

import pytest
from fake_cuda import FLUSH_US, FakeCuda

from bench.devices.cuda.events import HEAD_START, TIMEOUT_S, UNHELD, EventTimer, Held


def timer_on(cuda, observe=lambda: None):
    return EventTimer(cuda, Held(cuda, observe))


def call_of(cuda, us=2.0, **kwargs):
    return lambda: cuda.launch("norm", us, **kwargs)


def test_a_kernel_shorter_than_its_launch_is_measured_as_it_is():
    cuda = FakeCuda(latency_us=5.0)
    timed = timer_on(cuda).time(call_of(cuda), 1000, cold=False)
    assert timed.seconds / 1000 == pytest.approx(2e-6)
    assert timed.remark is None
    assert cuda.timeouts == 0


def test_without_the_blocking_kernel_the_launches_are_measured():
    """The test of the test: the fake does show 5 µs where nothing is done about them."""
    cuda = FakeCuda(latency_us=5.0)
    start, end = cuda.event(), cuda.event()
    start.record()
    for _ in range(1000):
        cuda.launch("norm", 2.0)
    end.record()
    cuda.synchronize()
    assert start.elapsed_time(end) * 1e-3 / 1000 == pytest.approx(5e-6, rel=0.01)


def test_a_long_kernel_is_measured_as_it_is():
    cuda = FakeCuda()
    assert timer_on(cuda).time(call_of(cuda, 300.0), 7, cold=False).seconds == pytest.approx(2100e-6)


@pytest.mark.parametrize("us", [2.0, 300.0])
def test_the_flush_is_not_in_a_cold_time(us):
    cuda = FakeCuda()
    timed = timer_on(cuda).time(call_of(cuda, us), 10, cold=True)
    assert timed.seconds == pytest.approx(10 * us * 1e-6)
    assert cuda.ran == ["flush", "norm"] * 10


def test_the_launch_is_not_in_a_cold_time_where_it_takes_longer_than_the_flush():
    cuda = FakeCuda(latency_us=2 * FLUSH_US)
    assert timer_on(cuda).time(call_of(cuda), 10, cold=True).seconds == pytest.approx(20e-6)


def test_warm_data_is_in_l2_and_cold_data_is_not():
    cuda = FakeCuda()
    call = call_of(cuda, 2.0, reads="x", cold_us=9.0)
    call()
    assert timer_on(cuda).time(call, 10, cold=False).seconds == pytest.approx(20e-6)
    assert timer_on(cuda).time(call, 10, cold=True).seconds == pytest.approx(90e-6)


def test_a_call_of_many_launches_is_queued_in_chunks_that_fit():
    cuda = FakeCuda(depth=1000)

    def textbook():
        for step in range(30):
            cuda.launch(f"step {step}", 2.0)

    timer = timer_on(cuda)
    timed = timer.time(textbook, 100, cold=False)
    assert timed.seconds == pytest.approx(100 * 60e-6)
    assert timed.remark is None
    assert cuda.timeouts == 2  # once for what might have been a compilation, once to learn
    timer.time(textbook, 100, cold=False)
    assert cuda.timeouts == 2


def test_a_hundred_calls_of_ten_launches_fit_at_once():
    cuda = FakeCuda(depth=1000)

    def call():
        for _ in range(9):
            cuda.launch("step", 2.0)

    timer_on(cuda).time(call, 1000, cold=False)
    assert cuda.timeouts == 0


def test_a_call_that_waits_for_the_device_does_not_hang_and_is_told():
    cuda = FakeCuda(latency_us=5.0)

    def waiting():
        cuda.launch("norm", 2.0)
        cuda.synchronize()

    timer = timer_on(cuda)
    timed = timer.time(waiting, 100, cold=False)
    assert timed.remark == UNHELD
    assert timed.seconds / 100 > 4e-6
    seen = cuda.timeouts
    assert seen <= 6
    assert timer.time(waiting, 100, cold=False).remark == UNHELD
    assert cuda.timeouts == seen
    timer.forget()
    timer.time(waiting, 1, cold=False)
    assert cuda.timeouts > seen


def test_a_module_that_is_loaded_late_costs_one_try():
    cuda = FakeCuda()
    calls = []

    def loading():
        if not calls:
            cuda.host_s += 2 * TIMEOUT_S
        calls.append(1)
        cuda.launch("norm", 2.0)

    timed = timer_on(cuda).time(loading, 50, cold=False)
    assert (timed.seconds, timed.remark) == (pytest.approx(100e-6), None)
    assert cuda.timeouts == 1


def test_what_a_call_raises_does_not_leave_the_device_held():
    cuda = FakeCuda()

    def raising():
        raise ValueError("no")

    timer = timer_on(cuda)
    with pytest.raises(ValueError, match="no"):
        timer.time(raising, 10, cold=False)
    assert timer.time(call_of(cuda), 10, cold=False).seconds == pytest.approx(20e-6)
    assert cuda.timeouts == 0


def test_without_a_compiler_there_is_a_head_start_and_it_is_told():
    cuda = FakeCuda(has_blocker=False)
    timed = timer_on(cuda).time(call_of(cuda), 100, cold=False)
    assert timed.remark == HEAD_START
    assert timed.seconds == pytest.approx(200e-6)  # a hundred launches take half of the head start


def test_each_chunk_is_looked_at_while_it_runs():
    cuda = FakeCuda()
    seen = []
    timer_on(cuda, lambda: seen.append(cuda.device_s > cuda.host_s)).time(call_of(cuda, 50.0), 250, cold=False)
    assert seen == [True, True, True]
