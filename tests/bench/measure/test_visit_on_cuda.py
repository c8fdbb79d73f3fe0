"""A visit of a block on a fake GPU, from the driver's questions to the record it keeps."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from fake_cuda import FakeCuda, FakeNvml

from bench.devices.cuda import CudaDevice
from bench.devices.environment import most_cold_calls
from bench.events import Listener
from bench.measure import messages, opened
from bench.measure.conduct import Conduct
from bench.measure.visit import visit
from bench.measure.visited import Visit
from bench.measure.worker import _Worker
from bench.plan.problem import Problem
from kernels.table import Implementation

PLAN = Visit(
    problem=Problem(N=2, C=8, H=6, W=6, G=4),  # its tensors are the CPU's, its time is the fake's
    names=("native", "waiting"),
    reference="native",
    pass_=0,
    launch=0,
    seed=0,
    cold=False,
    share_s=0.05,
    clock_s=1e-6,
    timeout_s=2.0,
    weighs=True,
    timer="events",
)


class InProcess:
    """A worker on a fake GPU behind the real messages."""

    def __init__(self, **nvml):
        self.cuda = FakeCuda()
        self.asked = []
        self.worker = _Worker(SimpleNamespace(set=lambda name: None), Conduct())
        self.worker._device = CudaDevice(self.cuda, FakeNvml(self.cuda, **nvml))
        self.worker._device.prepare(torch.get_num_threads())
        rows = {"native": self.honest, "waiting": self.waiting}
        self.worker._rows = {name: Implementation(name=name, call=call) for name, call in rows.items()}

    def ask(self, request, timeout_s):
        self.asked.append(request)
        return messages.decode(messages.encode(self.worker.answer(messages.decode(messages.encode(request)))))

    def honest(self, x, *rest):
        y = torch.empty_like(x)
        self.cuda.launch("norm", 2.0, effect=lambda: y.copy_(F.group_norm(x, *rest)))
        return y

    def waiting(self, x, *rest):
        y = self.honest(x, *rest)
        self.cuda.synchronize()
        return y


@pytest.fixture(scope="module")
def visited():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("copying", "cloning"):
            patch.setattr(opened, name, lambda inputs: lambda: worker.honest(inputs.x, PLAN.problem.G))
        worker = InProcess(reasons=lambda at_s: 0x4, mhz=lambda at_s: 1410)
        return worker, visit(PLAN, worker, Listener())


def test_the_block_is_opened_with_the_runs_timer(visited):
    worker, _ = visited
    opened = next(request for request in worker.asked if isinstance(request, messages.Open))
    assert (opened.timer, opened.sustained) == ("events", False)


def test_two_microseconds_are_two_microseconds(visited):
    assert visited[1].series["native"].call_seconds() == pytest.approx([2e-6] * 5)


def test_clock_throttling_power_and_heat_are_kept_round_by_round(visited):
    series = visited[1].series["native"]
    assert series.sm_clock_hz == [1.41e9] * 5
    assert series.throttled == [True] * 5
    assert (series.power_w, series.temperature_c) == ([350.0] * 5, [61.0] * 5)


def test_a_cell_that_shows_its_launches_is_ok_and_says_so(visited):
    cells = visited[1].cells
    assert (cells["native"].status, cells["native"].reason) == ("ok", None)
    assert cells["waiting"].status == "ok"
    assert cells["waiting"].reason == "it waits for the device while it is called, so launches show in its time"


def test_a_call_end_to_end_stands_beside(visited):
    assert visited[1].cells["native"].weighed.host_latency_s == pytest.approx(7e-6)


class Scripted:
    """Answers as a worker whose calls take 2 µs."""

    def __init__(self):
        self.timed = []

    def ask(self, request, timeout_s):
        match request:
            case messages.Open():
                return messages.Opened(refused={}, untimed={})
            case messages.Check():
                return messages.Checked(status="ok", reason=None, first_call_s=1e-3)
            case messages.Warm():
                return messages.Warmed(call_s=2e-6)
            case messages.Time(batches=batches):
                self.timed += [calls for _, calls in batches]
                return messages.Timed(
                    batches=[
                        messages.TimedBatch(name=name, calls=calls, seconds=2e-6 * calls) for name, calls in batches
                    ],
                    spin_s=None,
                )
            case messages.Close():
                return messages.Closed()


@pytest.mark.parametrize(
    ("device", "cold", "calls"), [("cuda", True, 10), ("cpu", True, 1), ("cuda", False, 1250), ("cpu", False, 1250)]
)
def test_calls_of_a_batch(device, cold, calls):
    worker = Scripted()
    problem = Problem(N=2, C=8, H=6, W=6, G=4, device=device)
    plan = Visit(
        **{name: getattr(PLAN, name) for name in ("reference", "pass_", "launch", "seed", "clock_s", "timeout_s")},
        problem=problem,
        names=("native",),
        cold=cold,
        share_s=0.05,
        weighs=False,
    )
    visit(plan, worker, Listener())
    assert set(worker.timed) == {calls}
    assert not cold or calls == most_cold_calls(device)
