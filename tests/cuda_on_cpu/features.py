"""The kernels of ``features.cu``: how each is launched, and what it must give."""

import ctypes
from pathlib import Path

import cuda_on_cpu as cpu
import torch

SOURCE = Path(__file__).parent / "kernels" / "features.cu"
KERNELS = ("reverse", "vote", "gather", "everybody", "last", "copies")


def _integers(count, dtype=torch.int32):
    return torch.randint(0, 100, (count,), generator=torch.Generator().manual_seed(count), dtype=dtype)


def _reverse(run):
    x = _integers(2 * 40 * 4)
    y = torch.empty_like(x)
    run("reverse", (cpu.reads(x, "x"), cpu.writes(y, "y")), grid=2, block=40, shared_bytes=640)
    return y, x.view(2, 40, 4).flip(1).flatten()


def _vote(run):
    x = _integers(64)
    y = torch.empty(2, 4, dtype=torch.int32)
    run("vote", (cpu.reads(x, "x"), cpu.writes(y, "y")), block=(16, 4))
    odd = x.view(2, 32) & 1
    lanes = torch.tensor([sum(int(bit) << lane for lane, bit in enumerate(warp)) for warp in odd])
    every = odd.sum().expand(2)
    columns = (x.view(2, 32).sum(1), x.view(2, 32).amax(1), lanes.to(torch.int32), every)
    return y, torch.stack([column.to(torch.int32) for column in columns], 1)


def _gather(run):
    y = torch.empty(6, 3)
    run("gather", (cpu.writes(y, "y"), ctypes.c_int(3)), grid=6, block=64, cluster=3)
    return y, torch.tensor([[0.0, 1, 2]] * 3 + [[3.0, 4, 5]] * 3)


def _everybody(run):
    y, slots, counter = torch.empty(7), torch.empty(7), torch.zeros(1, dtype=torch.int32)
    arguments = (cpu.writes(slots, "slots"), cpu.updates(counter, "counter"), cpu.writes(y, "y"))
    run("everybody", arguments, grid=7, block=64, cooperative=True)
    return y, torch.full((7,), 28.0)


def _last(run):
    y, slots, counter = torch.empty(1), torch.empty(7 * 33), torch.zeros(1, dtype=torch.int32)
    arguments = (cpu.writes(slots, "slots"), cpu.updates(counter, "counter"), cpu.writes(y, "y"))
    run("last", arguments, grid=7, block=33)
    return y, torch.tensor([7 * 33 * 16.0])


def _copies(run):
    x = torch.randn(2, 32, 4, generator=torch.Generator().manual_seed(1))
    y = torch.empty_like(x)
    run("copies", (cpu.reads(x, "x"), cpu.writes(y, "y")), block=32)
    return y, x.flip(1)


_FEATURES = dict(zip(KERNELS, (_reverse, _vote, _gather, _everybody, _last, _copies), strict=True))


def result_and_truth(module, kernel, *, seed=0, **instead):
    """Run one kernel; ``instead`` replaces parts of its launch."""

    def run(name, arguments, **launch):
        module.run([cpu.Launch(kernel=name, arguments=arguments, **(launch | instead))], seed=seed)

    return _FEATURES[kernel](run)
