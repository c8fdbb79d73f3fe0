"""Our rows as operators of torch: opcheck, fullgraph compilation, autocast, and what is not ours is refused by name."""

import pytest
import torch
from torch import nn

from kernels import operators

ROWS = ["cpp", "triton"]
"""Those whose operators run without a GPU; cuda's are the same code under another key."""


def given(layout="contiguous", dtype=torch.float32, *, requires_grad=False):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn((2, 6, 4, 5), generator=draw).to(dtype)
    if layout == "channels_last":
        x = x.contiguous(memory_format=torch.channels_last)
    weight, bias = (torch.randn(6, generator=draw).to(dtype) for _ in range(2))
    return [tensor.requires_grad_(requires_grad) for tensor in (x, weight, bias)]


@pytest.fixture(params=ROWS)
def name(request):
    return request.param


@pytest.fixture
def row(rows, name):
    """The row, its operators registered: they are at the first call."""
    x, weight, bias = given()
    rows[name].call(x, 3, weight, bias, 1e-5)
    return rows[name]


def operator(name, which):
    return getattr(getattr(torch.ops, operators.NAMESPACE), f"{name}_{which}").default


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("activation", [0, 1])
def test_opcheck(row, name, layout, activation):
    x, weight, bias = given(layout)
    torch.library.opcheck(operator(name, "group_norm"), (x, 3, weight, bias, 1e-5, activation))
    x, weight, bias = given(layout, requires_grad=True)
    torch.library.opcheck(operator(name, "group_norm_training"), (x, 3, weight, bias, 1e-5, activation))
    torch.library.opcheck(operator(name, "group_norm_training"), (x, 3, None, None, 1e-5, activation))
    x, weight, bias = given(layout)
    _, statistics = operator(name, "group_norm_training")(x, 3, weight, bias, 1e-5, activation)
    for wanted in ((True, True, True), (False, True, False)):
        arguments = (torch.ones_like(x), x, statistics, 3, weight, bias, activation, *wanted)
        torch.library.opcheck(operator(name, "group_norm_backward"), arguments)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_opcheck_of_a_gradient_in_cpp_itself(rows, layout):
    x, weight, bias = given(layout, requires_grad=True)
    assert rows["cpp"].call(x, 3, weight, bias, 1e-5).requires_grad
    torch.library.opcheck(operator("cpp", "group_norm"), (x, 3, weight, bias, 1e-5, 2))
    torch.library.opcheck(operator("cpp", "group_norm"), (x, 3, None, bias.detach(), 1e-5, 0))


@pytest.mark.parametrize("requires_grad", [False, True])
def test_it_is_compiled_without_a_break_forward_and_backward(row, requires_grad):
    def twice(x, weight, bias):
        return 2 * row.call(x + 1, 3, weight, bias, 1e-5, activation="silu")

    tensors, others = given(requires_grad=requires_grad), given(requires_grad=requires_grad)
    expected, y = twice(*tensors), torch.compile(twice, fullgraph=True, backend="aot_eager")(*others)
    torch.testing.assert_close(y, expected)
    if requires_grad:
        expected.square().sum().backward()
        y.square().sum().backward()
        for tensor, other in zip(tensors, others, strict=True):
            torch.testing.assert_close(other.grad, tensor.grad)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_autocast_leaves_the_type_of_x(row, requires_grad):
    x, weight, bias = given(requires_grad=requires_grad)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = row.call(x, 3, weight, bias, 1e-5)
        half = row.call(x.to(torch.bfloat16), 3, weight, bias, 1e-5)
    assert (y.dtype, half.dtype) == (torch.float32, torch.bfloat16)
    assert torch.equal(y, row.call(x, 3, weight, bias, 1e-5))


def test_no_more_than_x_and_three_figures_a_group_is_saved(row):
    kept = []
    x, weight, bias = given(requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        row.call(x, 3, weight, bias, 1e-5, activation="silu")
    own = {tensor.data_ptr() for tensor in (x, weight, bias)}
    assert [tensor.shape for tensor in kept if tensor.data_ptr() not in own] == [(2, 3, 3)]


@pytest.mark.parametrize("wanted", ["x", "weight", "bias"])
def test_each_gradient_comes_alone(row, wanted):
    tensors = dict(zip(("x", "weight", "bias"), given(), strict=True))
    tensors[wanted].requires_grad_()
    others = {one: tensor.detach().clone() for one, tensor in tensors.items()}
    others[wanted].requires_grad_()
    dy = torch.randn((2, 6, 4, 5), generator=torch.Generator().manual_seed(1))
    row.call(tensors["x"], 3, tensors["weight"], tensors["bias"], 1e-5, activation="relu").backward(dy)
    expected = nn.functional.group_norm(others["x"], 3, others["weight"], others["bias"], 1e-5)
    nn.functional.relu(expected).backward(dy)
    torch.testing.assert_close(tensors[wanted].grad, others[wanted].grad, rtol=1e-4, atol=1e-5)
    assert all(tensor.grad is None for one, tensor in tensors.items() if one != wanted)


def test_other_strides_are_made_contiguous(row):
    x, weight, bias = given()
    strided = x.transpose(2, 3)
    assert not operators.is_dense(strided)
    y = row.call(strided, 3, weight, bias, 1e-5)
    assert y.is_contiguous()
    torch.testing.assert_close(y, row.call(strided.contiguous(), 3, weight, bias, 1e-5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_groups": 4}, "4 groups"),
        ({"weight": torch.ones(5)}, "weight"),
        ({"bias": torch.ones(6, dtype=torch.float64)}, "bias"),
        ({"x": torch.ones(2, 6, dtype=torch.float64)}, "x"),
        ({"x": torch.ones(6)}, "x"),
    ],
    ids=str,
)
def test_what_is_no_group_norm_is_refused_by_the_arguments_name(row, change, message):
    x, weight, bias = given()
    arguments = {"x": x, "num_groups": 3, "weight": weight, "bias": bias, "eps": 1e-5} | change
    with pytest.raises((ValueError, RuntimeError), match=rf"\b{message}\b"):
        row.call(**arguments)
