"""The forward operator launches its plan, with the memory it needs, without a GPU."""

import pytest
import torch

from bench.plan.problem import Problem
from kernels import cuda
from kernels.cuda import forward
from kernels.cuda.device import H100
from kernels.cuda.launch import plan


@pytest.fixture
def normalize(monkeypatch):
    """Run the operator's function with a launcher that takes notes, on a pretended H100."""
    enqueued = []
    monkeypatch.setattr(forward, "_kernels", lambda *_: {})
    monkeypatch.setattr(forward, "_enqueue", lambda *given: enqueued.append(given))
    monkeypatch.setattr(forward, "device_of", lambda _: H100)
    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.no_grad())

    def run(x, G=4, *, fits=True, weight=None, bias=None, statistics=None):
        monkeypatch.setattr(forward, "_fits", lambda *_: fits)
        forward._chosen.cache_clear()  # it has asked the device before
        y = forward.normalize(x, G, weight, bias, 1e-5, 1, statistics)
        return y, enqueued

    yield run
    forward._chosen.cache_clear()


def test_the_plan_of_the_shape_is_launched_with_its_addresses(normalize):
    x, weight = torch.ones(2, 8, 40, 40), torch.ones(8)
    statistics = torch.empty(2, 4, 3)
    y, [(chosen, _, pointers, flags)] = normalize(x, weight=weight, statistics=statistics)
    assert chosen == plan(N=2, C=8, G=4, positions=1600, channels_last=False, itemsize=4, device=H100)
    assert (pointers.x, pointers.y) == (x.data_ptr(), y.data_ptr())
    assert (pointers.weight, pointers.bias, pointers.statistics) == (weight.data_ptr(), 0, statistics.data_ptr())
    assert flags == {"activation": 1, "parameters_are_float": True, "eps": 1e-5}


def test_the_output_keeps_the_layout(normalize):
    x = torch.ones(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    y, [(chosen, *_)] = normalize(x)
    assert y.stride() == x.stride()
    assert chosen.variant in {"tile", "mixed_tile"}


def test_what_the_device_refuses_goes_by_two_kernels(normalize):
    x = torch.ones(2, 8, 200, 200)
    _, [(held, *_)] = normalize(x)
    assert held.way == "cluster"
    _, [_, (split, *_)] = normalize(x, fits=False)
    assert split == held.fallback


def test_an_unaligned_tensor_is_copied_to_where_16_bytes_are_one(normalize):
    x = torch.ones(2 * 8 * 16 + 1)[1:].view(2, 8, 4, 4)
    _, [(_, _, pointers, _)] = normalize(x)
    assert pointers.x % 16 == 0
    assert x.data_ptr() % 16


def test_rows_too_wide_for_a_block_are_computed_contiguous(normalize):
    x = torch.ones(1, 16001, 1, 2).contiguous(memory_format=torch.channels_last)
    y, [(chosen, *_)] = normalize(x, G=1)
    assert chosen.variant in {"run", "odd_run"}
    assert y.stride() == x.stride()


def test_nothing_is_launched_for_an_empty_batch(normalize):
    y, enqueued = normalize(torch.ones(0, 8, 4, 4))
    assert (y.shape, enqueued) == ((0, 8, 4, 4), [])


def test_parameters_that_do_not_fit_are_told(normalize):
    x = torch.ones(2, 8, 4, 4)
    with pytest.raises(ValueError, match="weight and bias: 8 values are wanted"):
        normalize(x, weight=torch.ones(4))
    with pytest.raises(ValueError, match="weight and bias: one type is wanted"):
        normalize(x, weight=torch.ones(8), bias=torch.ones(8, dtype=torch.bfloat16))


def test_counters_begin_at_zero_and_slots_lie_where_the_plan_wants_them(normalize):
    x = torch.ones(1, 8, 2**20 // 8, 4, dtype=torch.bfloat16)
    _, [(chosen, _, pointers, _)] = normalize(x, G=1)
    assert chosen.way == "grid"
    assert pointers.slots
    assert pointers.counters
    _, [_, (_, _, pointers, _)] = normalize(torch.ones(2, 8, 4, 4))
    assert not pointers.slots
    assert not pointers.counters


@pytest.mark.parametrize("shape", [(2, 8, 4, 4), (2, 8, 40, 40), (2, 8, 200, 200), (1, 8, 1024, 1024)])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_what_the_row_says_of_its_launches_is_what_it_launches(normalize, shape, layout):
    N, C, H, W = shape
    x = torch.ones(shape).contiguous(memory_format=getattr(torch, layout.replace("contiguous", "contiguous_format")))
    _, [(chosen, *_)] = normalize(x)
    asked = Problem(N=N, C=C, H=H, W=W, G=4, layout=layout, device="cuda")
    zeros = ["zeros"] if chosen.counters else []
    assert list(cuda.launches(asked, "sm_90")) == zeros + [launch.kernel for launch in chosen.launches]
