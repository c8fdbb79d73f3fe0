"""The row's operators know their fakes and autograd, and the backward operator launches its plan, without a GPU."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from kernels.cuda import backward
from kernels.cuda.backward_plan import plan
from kernels.table import NAMESPACE, implementations

OPERATORS = getattr(torch.ops, NAMESPACE)


def test_the_row_is_differentiable():
    assert implementations()["cuda"].differentiable


def test_the_operators_fakes_know_shapes_types_and_layouts():
    with FakeTensorMode():
        x = torch.empty(2, 8, 4, 4, dtype=torch.bfloat16, device="cuda").to(memory_format=torch.channels_last)
        weight, bias = (torch.empty(8, device="cuda") for _ in range(2))
        y, statistics = OPERATORS.cuda_group_norm_training(x, 4, weight, bias, 1e-5, 1)
        dx, dweight, dbias = OPERATORS.cuda_group_norm_backward(y, x, statistics, 4, weight, bias, 1, True, True, False)
    assert (statistics.shape, statistics.dtype) == ((2, 4, 3), torch.float32)
    assert (dx.dtype, dx.shape, dx.stride()) == (x.dtype, x.shape, x.stride())
    assert (dweight.shape, dweight.dtype) == ((8,), torch.float32)
    assert dbias.shape == (0,)


def _backward(monkeypatch, x, wants, *, G=4):
    """Run the operator with a launcher that takes notes."""
    enqueued = []
    monkeypatch.setattr(backward, "_kernels", lambda *_: dict.fromkeys(backward.backward_build.KERNELS))
    monkeypatch.setattr(backward, "_enqueue", lambda *given: enqueued.append(given))
    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.no_grad())
    weight, bias = torch.ones(2, x.shape[1], dtype=x.dtype)
    statistics = torch.zeros(x.shape[0], G, 3)
    made = backward.group_norm_backward(torch.ones_like(x), x, statistics, G, weight, bias, 1, *wants)
    return made, enqueued


def test_what_is_not_wanted_is_empty_and_has_no_address(monkeypatch):
    x = torch.ones(2, 8, 4, 4)
    (dx, dweight, dbias), [(chosen, _, pointers, activation, is_float)] = _backward(monkeypatch, x, (True, False, True))
    assert [dx.shape, dweight.shape, dbias.shape] == [(2, 8, 4, 4), (0,), (8,)]
    assert (pointers.dx, pointers.dweight, pointers.dbias) == (dx.data_ptr(), 0, dbias.data_ptr())
    assert (activation, is_float) == (1, True)
    assert chosen == plan(N=2, C=8, G=4, positions=16, channels_last=False, itemsize=4)


def test_partials_that_nobody_needs_have_no_address(monkeypatch):
    _, [(chosen, _, pointers, _, _)] = _backward(monkeypatch, torch.ones(2, 8, 4, 4), (True, False, False))
    assert chosen.way == "together"
    assert pointers.partials == 0


def test_an_unaligned_tensor_is_read_by_its_own_alignment(monkeypatch):
    x = torch.ones(2 * 8 * 16 + 1, dtype=torch.bfloat16)[1:].view(2, 8, 4, 4)
    _, [(chosen, *_)] = _backward(monkeypatch, x, (True, True, True))
    assert chosen.vector == 1


def test_no_samples_give_zero_gradients_and_no_launch(monkeypatch):
    (dx, dweight, dbias), enqueued = _backward(monkeypatch, torch.ones(0, 8, 4, 4), (True, True, True))
    assert enqueued == []
    assert dx.shape == (0, 8, 4, 4)
    assert torch.equal(dweight, torch.zeros(8))
    assert torch.equal(dbias, torch.zeros(8))


def test_nothing_wanted_is_nothing_done(monkeypatch):
    made, enqueued = _backward(monkeypatch, torch.ones(2, 8, 4, 4), (False, False, False))
    assert enqueued == []
    assert [gradient.shape for gradient in made] == [(0,)] * 3
