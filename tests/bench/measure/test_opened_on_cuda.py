"""A block on a fake GPU: copies of inputs, graphs that lie, contexts that break. Tensors are the CPU's."""

import random
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from closing import closed
from fake_cuda import FakeCuda, FakeNvml

from bench.devices.cuda import CudaDevice
from bench.measure import messages
from bench.measure.conduct import Conduct, Spoilt
from bench.measure.opened import OpenedBlock
from bench.measure.worker import _Worker
from bench.plan.problem import Problem

PROBLEM = Problem(N=2, C=8, H=6, W=6, G=4)


class Gpu:
    """A fake GPU and kernels that run on it."""

    def __init__(self, *, timer="events", cold=False, l2=1 << 12, **kernels):
        self.cuda = FakeCuda(l2=l2)
        self.device = CudaDevice(self.cuda, FakeNvml(self.cuda))
        self.device.prepare(torch.get_num_threads())
        self.device.configure(timer=timer, sustained=False)
        self.block = OpenedBlock(
            PROBLEM,
            {"native": self.honest, **{name: kernel(self) for name, kernel in kernels.items()}},
            reference="native",
            device=self.device,
            cold=cold,
            seed=1,
            placement=random.Random(1),
        )
        # As a worker is after it has opened a block.
        self.worker = _Worker(SimpleNamespace(set=lambda name: setattr(self, "mark", name)), Conduct())
        self.worker._device, self.worker._block = self.device, self.block
        self.mark = ""

    def honest(self, x, *rest):
        y = torch.empty_like(x)
        self.cuda.launch("norm", 2.0, effect=lambda: y.copy_(F.group_norm(x, *rest)), reads=x.data_ptr(), cold_us=9.0)
        return y


def remembering(gpu):
    """Computes when it is called, and again copies that answer: captured, only the copy is replayed."""

    def kernel(x, *rest):
        y, answer = torch.empty_like(x), F.group_norm(x, *rest)
        gpu.cuda.launch("copy", 2.0, effect=lambda: y.copy_(answer))
        return y

    return kernel


def skipping(gpu):
    def kernel(x, *rest):
        y = torch.empty_like(x)
        gpu.cuda.launch("norm", 2.0, effect=lambda: y.copy_(F.group_norm(x, *rest)), captured=False)
        gpu.cuda.launch("nothing", 1.0)
        return y

    return kernel


def corrupting(gpu):
    def kernel(x, *rest):
        gpu.cuda.launch("norm", 2.0, fault="an illegal memory access was encountered")
        return F.group_norm(x, *rest)

    return kernel


def greedy(gpu):
    def kernel(x, *rest):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")

    return kernel


def test_a_graph_that_reads_its_inputs_anew_is_timed():
    gpu = Gpu(timer="graph")
    gpu.block.check("native")
    assert gpu.block.warm("native") == messages.Warmed(call_s=pytest.approx(2e-6))
    timed = gpu.block.time("native", 100, 1, verify=True)
    assert (timed.status, timed.seconds) == (None, pytest.approx(200e-6))
    assert closed(gpu.block) == {}


@pytest.mark.parametrize("cold", [False, True])
def test_a_stale_graph_is_refused_and_the_inputs_are_put_back(cold):
    gpu = Gpu(timer="graph", cold=cold, remembering=remembering)
    gpu.block.check("native")
    assert gpu.block.check("remembering").status == "ok"
    warmed = gpu.block.warm("remembering")
    assert (warmed.call_s, warmed.status) == (None, "inconsistent")
    assert warmed.reason.startswith("its replay does not read its inputs anew: ")
    assert closed(gpu.block) == {}


def test_the_same_kernel_is_no_lie_without_a_graph():
    gpu = Gpu(timer="events", remembering=remembering)
    gpu.block.check("native")
    gpu.block.check("remembering")
    assert gpu.block.warm("remembering").status is None


def test_a_graph_that_skips_a_kernel_is_refused_with_its_reason():
    gpu = Gpu(timer="graph", skipping=skipping)
    gpu.block.check("native")
    assert gpu.block.check("skipping").status == "ok"
    warmed = gpu.worker.answer(messages.Warm(name="skipping"))
    assert (warmed.call_s, warmed.status) == (None, "inconsistent")
    assert "runs 20 operations on the device where the calls run 40" in warmed.reason


def test_a_cold_call_meets_new_addresses_within_a_batch():
    gpu = Gpu(cold=True)
    gpu.block.check("native")
    seen = []
    launch = gpu.cuda.launch
    gpu.cuda.launch = lambda *args, **kwargs: (seen.append(kwargs["reads"]), launch(*args, **kwargs))
    timed = gpu.block.time("native", 10, 0, verify=True)
    assert timed.seconds == pytest.approx(90e-6)
    assert len(set(seen)) == 10


def test_a_copy_that_is_scribbled_on_is_found_and_put_back():
    def scribbling(gpu):
        calls = []

        def kernel(x, *rest):
            y = gpu.honest(x, *rest)
            calls.append(1)
            if len(calls) == 7:
                x[0, 0, 0, 0] += 1
            return y

        return kernel

    gpu = Gpu(cold=True, scribbling=scribbling)
    gpu.block.check("native")
    assert gpu.block.check("scribbling").status == "ok"
    assert gpu.block.time("scribbling", 10, 0, verify=True).reason == "changed its inputs"
    assert gpu.block.time("native", 10, 0, verify=True).status is None


def test_warmth_is_cudas_own_rule():
    gpu = Gpu()
    gpu.block.check("native")
    gpu.cuda.slowness = lambda at_s: max(1.0, 2.0 - 20 * at_s)  # the clock comes up over 50 ms
    assert gpu.block.warm("native").call_s == pytest.approx(2e-6, rel=0.01)


def test_a_remark_travels_with_the_figure():
    def waiting(gpu):
        def kernel(x, *rest):
            y = gpu.honest(x, *rest)
            gpu.cuda.synchronize()
            return y

        return kernel

    gpu = Gpu(waiting=waiting)
    gpu.block.check("native")
    gpu.block.check("waiting")
    timed = gpu.block.time("waiting", 50, 0, verify=False)
    assert timed.status is None
    assert timed.reason == "it waits for the device while it is called, so launches show in its time"


def test_a_broken_context_costs_the_worker_and_names_its_culprit():
    gpu = Gpu(corrupting=corrupting)
    assert gpu.worker.answer(messages.Check(name="native")).status == "ok"
    with pytest.raises(Spoilt) as lost:
        gpu.worker.answer(messages.Check(name="corrupting"))
    assert (lost.value.name, lost.value.status) == ("corrupting", "crashed")
    assert lost.value.reason == (
        "RuntimeError: CUDA error: an illegal memory access was encountered: "
        "its CUDA context is lost (CUDA error: an illegal memory access was encountered)"
    )


def test_running_out_of_memory_costs_its_own_cell():
    gpu = Gpu(greedy=greedy)
    with pytest.raises(Spoilt, match="CUDA out of memory") as spoilt:
        gpu.worker.answer(messages.Check(name="greedy"))
    assert (spoilt.value.name, spoilt.value.status) == ("greedy", "out_of_memory")
    assert gpu.cuda.freed == 1
    assert gpu.worker.answer(messages.Check(name="native")).status == "ok"


def test_an_asynchronous_fault_is_its_own_and_not_the_next_ones():
    """The device reaches it when the host has long gone on: here after the last thing that a check asks."""

    def late(gpu):
        calls = []

        def kernel(x, *rest):
            calls.append(1)
            fault = "device-side assert triggered" if len(calls) == 2 else None
            y = gpu.honest(x, *rest)
            gpu.cuda.launch("after", 1.0, fault=fault)
            return y

        return kernel

    gpu = Gpu(late=late)
    gpu.worker.answer(messages.Check(name="native"))
    with pytest.raises(Spoilt, match="device-side assert triggered") as spoilt:
        gpu.worker.answer(messages.Check(name="late"))
    assert spoilt.value.name == "late"
