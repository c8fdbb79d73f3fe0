"""A GPU with exact numbers: launches that cost the host time, a stream with a clock of its own, an L2 cache, heat.

The host's clock moves only when something is launched or waited for; an operation begins when it was queued and the one
before it has ended. Times in s, durations of kernels in µs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from bench.devices.cuda.runtime import Identity, Recording

US = 1e-6
FLUSH_US = 40.0


def steady(_moment_s: float) -> float:
    return 1.0


@dataclass
class Operation:
    queued_s: float
    run: Callable[[float], float]
    """Takes when it begins and gives when it ends."""


@dataclass
class FakeCuda:
    """Stands in for ``TorchRuntime``."""

    latency_us: float = 5.0
    """What a launch costs the host."""
    depth: int = 1000
    """Launches that fit in the queue; one more waits for the device."""
    slowness: Callable[[float], float] = steady
    """By what a kernel's duration is multiplied at a moment of the device: drift and throttling."""
    has_blocker: bool = True
    available: bool = True
    free: int = 1 << 30
    l2: int = 1 << 20

    host_s: float = 0.0
    device_s: float = 0.0
    ran: list[str] = field(default_factory=list)
    pending: list[Operation] = field(default_factory=list)
    cached: set[Any] = field(default_factory=set)
    broken: str | None = None
    allocated: int = 1000
    peak: int = 1000
    freed: int = 0
    timeouts: int = 0
    _held_since_s: float | None = None
    _timeout_s: float = 0.0
    _gave_up: bool = False
    _recording: list[Operation] | None = None

    # What kernels under test do.

    def launch(
        self,
        name: str,
        us: float,
        *,
        reads: Any = None,
        cold_us: float | None = None,
        effect: Callable[[], Any] = lambda: None,
        captured: bool = True,
        fault: str | None = None,
    ) -> None:
        """Queue a kernel: ``cold_us`` where what it reads is not in L2; not ``captured`` means on another stream."""

        def run(begin_s: float) -> float:
            took = us if cold_us is None or reads in self.cached else cold_us
            self.cached.add(reads)
            self.ran.append(name)
            self.broken = self.broken or fault
            effect()
            return begin_s + took * US * self.slowness(begin_s)

        self._queue(run, captured=captured)

    # The runtime.

    def is_available(self) -> bool:
        return self.available

    def init(self, threads: int) -> None:
        self.ran.append(f"init {threads}")

    def synchronize(self) -> None:
        self._live()
        if self._recording is not None:
            raise RuntimeError("operation not permitted when stream is capturing\nmore words")
        self._give_up_if(waited=True)
        self.host_s = max(self.host_s, self.device_s)
        self._live()

    def event(self) -> Any:
        return FakeEvent(self)

    def spin(self, cycles: int) -> None:
        self._queue(lambda begin_s: begin_s + cycles / 2e9)

    def flush(self) -> None:
        def run(begin_s: float) -> float:
            self.cached.clear()
            self.ran.append("flush")
            return begin_s + FLUSH_US * US

        self._queue(run)

    def blocker(self, timeout_s: float) -> Any:
        self._timeout_s = timeout_s
        if not self.has_blocker:
            return None
        return SimpleNamespace(block=self._block, release=self._release, timed_out=lambda: self._gave_up)

    def l2_bytes(self) -> int:
        return self.l2

    def free_bytes(self) -> int:
        return self.free

    def allocated_bytes(self) -> int:
        return self.allocated

    def peak_bytes(self) -> int:
        return self.peak

    def reset_peak(self) -> None:
        self.peak = self.allocated

    def release_memory(self) -> None:
        self._live()
        self.freed += 1

    def capture(self, call: Callable[[], Any], times: int) -> Recording:
        self._recording = []
        try:
            output = [call() for _ in range(times)][-1]
            recorded = self._recording
        finally:
            self._recording = None

        def replay() -> None:
            def run(begin_s: float) -> float:
                for one in recorded:
                    begin_s = one.run(begin_s)
                return begin_s

            self._queue(run)

        return Recording(replay=replay, output=output)

    def activities(self, act: Callable[[], Any]) -> list[str]:
        before = len(self.ran)
        act()
        self.synchronize()
        return self.ran[before:]

    @contextmanager
    def on_stream(self, handle: int) -> Any:
        yield handle

    def identity(self) -> Identity:
        return Identity(uuid="GPU-b", pci="00000000:65:00.0")

    def seconds(self) -> float:
        return self.host_s

    def sleep(self, seconds: float) -> None:
        self.host_s += seconds

    # Its inside.

    def _live(self) -> None:
        if self.broken is not None:
            raise RuntimeError(f"CUDA error: {self.broken}\nCompile with TORCH_USE_CUDA_DSA")

    def _queue(self, run: Callable[[float], float], *, captured: bool = True, latency: bool = True) -> None:
        self._live()
        if self._recording is not None and captured:
            self._recording.append(Operation(self.host_s, run))
            return
        if latency:
            self.host_s += self.latency_us * US
        self._give_up_if(waited=latency and len(self.pending) >= self.depth)
        operation = Operation(self.host_s, run)
        if self._held_since_s is None:
            self._run(operation)
        else:
            self.pending.append(operation)

    def _run(self, operation: Operation) -> None:
        self.device_s = operation.run(max(self.device_s, operation.queued_s))

    def _block(self) -> None:
        assert self._held_since_s is None, "the device is held already"
        self.host_s += self.latency_us * US
        self._held_since_s, self._gave_up = max(self.device_s, self.host_s), False

    def _release(self) -> None:
        self._give_up_if(waited=False)
        if self._held_since_s is not None:
            self._let_go(max(self._held_since_s, self.host_s))

    def _give_up_if(self, *, waited: bool) -> None:
        """Let the blocking kernel end by itself, if the host waits for the device or has taken too long."""
        if self._held_since_s is None:
            return
        end_s = self._held_since_s + self._timeout_s
        if waited or self.host_s > end_s:
            self._gave_up = True
            self.timeouts += 1
            self.host_s = max(self.host_s, end_s)
            self._let_go(end_s)

    def _let_go(self, at_s: float) -> None:
        self._held_since_s, self.device_s = None, at_s
        pending, self.pending = self.pending, []
        for operation in pending:
            self._run(operation)


class FakeEvent:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self.at_s: float | None = None

    def record(self) -> None:
        def run(begin_s: float) -> float:
            self.at_s = begin_s
            return begin_s

        self._cuda._queue(run, latency=False)

    def elapsed_time(self, end: FakeEvent) -> float:
        assert self.at_s is not None, "an event is read before the device reached it"
        assert end.at_s is not None, "an event is read before the device reached it"
        assert end.at_s <= self._cuda.host_s, "an event is read before the host waited for it"
        return (end.at_s - self.at_s) * 1e3


@dataclass
class FakeNvml:
    """Two GPUs of which the process sees the second; its clock, MHz, and its reasons hang on the host's time."""

    cuda: FakeCuda
    mhz: Callable[[float], int] = lambda _moment_s: 1500
    reasons: Callable[[float], int] = lambda _moment_s: 0
    known: tuple[str, ...] = ("GPU-a", "GPU-b")

    NVML_CLOCK_SM = 1
    NVML_TEMPERATURE_GPU = 0

    def nvmlInit(self) -> None:  # noqa: N802
        return None

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid not in self.known:
            raise LookupError(uuid)
        return uuid

    def nvmlDeviceGetHandleByPciBusId(self, pci: str) -> str:  # noqa: N802
        return {"00000000:17:00.0": "GPU-a", "00000000:65:00.0": "GPU-b"}[pci]

    def nvmlDeviceGetClockInfo(self, device: str, which: int) -> int:  # noqa: N802
        assert (device, which) == ("GPU-b", self.NVML_CLOCK_SM)
        return self.mhz(self.cuda.host_s)

    def nvmlDeviceGetCurrentClocksEventReasons(self, device: str) -> int:  # noqa: N802
        assert device == "GPU-b"
        return self.reasons(self.cuda.host_s)

    def nvmlDeviceGetPowerUsage(self, device: str) -> int:  # noqa: N802
        return 350_000

    def nvmlDeviceGetTemperature(self, device: str, sensor: int) -> int:  # noqa: N802
        return 61
