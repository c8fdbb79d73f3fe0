"""An nvbench that does as its documentation says, on the fake device."""

from types import SimpleNamespace

import pytest
from fake_cuda import FakeCuda

from bench.devices.base import TimingRefused
from bench.devices.cuda.nvbench import NAME, Nvbench, NvbenchTimer


class FakeNvbench:
    """Runs the one registered benchmark for its samples and keeps what its reader would read."""

    def __init__(self, cuda):
        self.cuda = cuda
        self.commands = []
        self.skips = None

    def register(self, benchmark):
        self.benchmark = benchmark
        return SimpleNamespace(set_name=lambda name: None)

    def run_all_benchmarks(self, command):
        self.commands.append(command)
        self.samples = int(command[command.index("--target-samples") + 1])
        self.state = SimpleNamespace(
            is_skipped=self.skips is not None, skip_reason=self.skips, samples=[], summaries={}
        )
        if self.skips is None:
            self.benchmark(SimpleNamespace(set_timeout=float, set_batch_target_time=float, exec=self.exec))

    def exec(self, launcher, *, batched):
        launch = SimpleNamespace(get_stream=lambda: SimpleNamespace(addressof=lambda: 42))
        for _ in range(self.samples):
            self.cuda.flush()
            begin_s = self.cuda.device_s
            launcher(launch)
            self.state.samples.append(self.cuda.device_s - max(begin_s, self.cuda.host_s))
        if batched:
            mean = SimpleNamespace(value=self.state.samples[-1] / 4)
            self.state.summaries["nv/batch/time/gpu/mean"] = mean

    def read(self, path):
        assert str(path) == self.commands[-1][-1]
        return {NAME: [self.state]}


@pytest.fixture
def cuda():
    return FakeCuda()


@pytest.fixture
def bench(cuda):
    return FakeNvbench(cuda)


@pytest.fixture
def timer(cuda, bench):
    return NvbenchTimer(cuda, lambda: None, Nvbench(bench=bench, read=bench.read))


def test_cold_is_the_mean_of_its_samples_times_the_calls(cuda, bench, timer):
    def call():
        cuda.launch("norm", 200.0)
        return "y"

    timed = timer.time(call, 8, cold=True)
    assert timed.seconds == pytest.approx(8 * 200e-6)
    assert timed.output == "y"
    command = bench.commands[0]
    assert command[command.index("--stopping-criterion") + 1] == "sample-count"
    assert command[command.index("--min-samples") + 1] == "8"


def test_warm_is_its_batch(cuda, timer):
    cold = timer.time(lambda: cuda.launch("norm", 200.0), 8, cold=True)
    warm = timer.time(lambda: cuda.launch("norm", 200.0), 8, cold=False)
    assert warm.seconds == pytest.approx(cold.seconds / 4)


def test_what_it_skips_has_no_figure(bench, timer):
    bench.skips = "deadlock"
    with pytest.raises(TimingRefused, match="nvbench skipped it: deadlock"):
        timer.time(lambda: None, 8, cold=True)


def test_what_a_call_raises_comes_through(timer):
    def raising():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        timer.time(raising, 8, cold=True)


def test_no_batch_is_no_figure(cuda, bench, timer):
    bench.exec = lambda launcher, *, batched: None
    with pytest.raises(TimingRefused, match="nvbench gave no time for it"):
        timer.time(lambda: None, 8, cold=False)
