"""Spans of known records, and a CUPTI that records what the fake device runs."""

import enum
from types import SimpleNamespace

import pytest
from fake_cuda import FakeCuda

from bench.devices.base import TimingRefused
from bench.devices.cuda.cupti import CuptiTimer, Launch, Span, Work, spans


def work(name, start, end, correlation):
    return Work(name=name, start=start, end=end, correlation=correlation)


def launch(start, correlation):
    return Launch(start=start, correlation=correlation)


def test_a_span_is_from_the_first_start_to_the_last_end_gaps_included():
    found = spans(
        [(100, 200), (300, 400)],
        [launch(110, 1), launch(120, 2), launch(310, 3)],
        [work("b", 1500, 1700, 2), work("a", 1000, 1200, 1), work("a", 5000, 5100, 3)],
    )
    assert found == [
        Span(seconds=pytest.approx(700e-9), names=("a", "b")),
        Span(seconds=pytest.approx(100e-9), names=("a",)),
    ]


def test_what_was_launched_between_two_calls_is_nobodys():
    found = spans(
        [(100, 200)], [launch(50, 1), launch(150, 2), launch(250, 3)], [work("w", 0, 9, n) for n in (1, 2, 3)]
    )
    assert found == [Span(seconds=pytest.approx(9e-9), names=("w",))]


def test_a_launch_seen_by_runtime_and_driver_is_counted_once():
    found = spans([(0, 10)], [launch(1, 7), launch(2, 7)], [work("w", 0, 4, 7)])
    assert found[0].names == ("w",)


def test_a_call_that_launched_nothing_has_no_span():
    assert spans([(0, 10), (20, 30)], [launch(1, 1)], [work("w", 0, 4, 1)])[1] is None


class Kinds(enum.IntEnum):
    RUNTIME, DRIVER, CONCURRENT_KERNEL, MEMCPY, MEMSET = range(5)


class FakeCupti:
    """Records what a fake device runs while the kinds are enabled."""

    ActivityKind = Kinds

    def __init__(self, cuda):
        self.cuda = cuda
        self.enabled = set()
        self.records = []
        self.correlation = 0
        queue = cuda._queue

        def recording_queue(run, **how):
            def recorded(begin_s):
                before = len(cuda.ran)
                end_s = run(begin_s)
                if self.enabled and len(cuda.ran) > before:
                    begin, end = (round(at * 1e9) + 777 for at in (begin_s, end_s))  # another clock than the host's
                    self.add(Kinds.CONCURRENT_KERNEL, begin, end, name=cuda.ran[-1])
                return end_s

            if how.get("latency", True):
                self.correlation += 1
                if self.enabled:
                    self.add(Kinds.RUNTIME, self.get_timestamp(), self.get_timestamp() + 1)
            queue(recorded, **how)

        cuda._queue = recording_queue

    def add(self, kind, start, end, name=""):
        record = SimpleNamespace(kind=kind, start=start, end=end, correlation_id=self.correlation, name=name)
        self.records.append(record)

    def get_timestamp(self):
        return round(self.cuda.host_s * 1e9)

    def activity_register_callbacks(self, requested, completed):
        assert requested() == (8 << 20, 0)
        self.completed = completed

    def activity_enable(self, kind):
        self.enabled.add(kind)

    def activity_disable(self, kind):
        self.enabled.remove(kind)

    def activity_flush_all(self, flag):
        self.completed(self.records)
        self.records = []


@pytest.fixture
def cuda():
    return FakeCuda(latency_us=5.0)


@pytest.fixture
def timer(cuda):
    return CuptiTimer(cuda, lambda: None, FakeCupti(cuda))


@pytest.mark.parametrize("cold", [True, False])
def test_neither_launch_nor_flush_is_in_a_figure(cuda, timer, cold):
    timed = timer.time(lambda: cuda.launch("norm", 2.0), 10, cold=cold)
    assert timed.seconds == pytest.approx(20e-6)
    assert cuda.ran == (["flush", "norm"] if cold else ["norm"]) * 10
    assert not timer._api.enabled


def test_the_gap_between_a_calls_kernels_is_in_it(cuda, timer):
    def two():
        cuda.launch("statistics", 2.0)
        cuda.launch("normalize", 2.0)  # 5 µs after the first: its launch takes so long

    assert timer.time(two, 10, cold=False).seconds == pytest.approx(10 * 7e-6)


def test_a_call_that_tunes_itself_is_unsteady(cuda, timer):
    calls = []

    def tuning():
        calls.append(1)
        cuda.launch(f"norm_{len(calls) % 2}", 2.0)

    with pytest.raises(TimingRefused, match="its calls run different kernels, as norm_0") as refused:
        timer.time(tuning, 10, cold=False)
    assert refused.value.status == "unsteady"
    assert not timer._api.enabled


def test_a_call_that_runs_nothing_is_refused(cuda, timer):
    with pytest.raises(TimingRefused, match="CUPTI saw nothing run on the device in one of its calls"):
        timer.time(lambda: None, 3, cold=False)


def test_a_batch_has_no_records_of_the_last_one(cuda, timer):
    timer.time(lambda: cuda.launch("slow", 50.0), 3, cold=False)
    assert timer.time(lambda: cuda.launch("norm", 2.0), 3, cold=False).seconds == pytest.approx(6e-6)


def test_another_subscriber_is_told(cuda, timer):
    def enable(kind):
        raise RuntimeError("MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED")

    timer._api.activity_enable = enable
    with pytest.raises(TimingRefused, match=r"CUPTI cannot be used \(MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED\)"):
        timer.time(lambda: cuda.launch("norm", 2.0), 3, cold=False)
