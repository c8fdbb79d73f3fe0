"""Our own rows on a device: numerics over shapes, types and layouts, and the current stream obeyed."""

import pytest
import torch

from kernels import discovery

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", params=["cuda", "triton"])
def row(request):
    return discovery.load([request.param])[request.param]


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("activation", ["none", "silu", "relu"])
def test_agrees_with_the_oracle(check_on_device, row, shape_and_groups, *, dtype, layout, activation):
    for weight_dtype in {dtype, torch.float32}:
        check_on_device(
            row.call,
            *shape_and_groups,
            dtype=dtype,
            layout=layout,
            weight_dtype=weight_dtype,
            activation=activation,
        )


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("activation", ["none", "silu", "relu"])
def test_gradients_agree_with_the_oracle(
    check_gradients_on_device, row, shape_and_groups, *, dtype, layout, activation
):
    for weight_dtype in {dtype, torch.float32}:
        check_gradients_on_device(
            row.call,
            *shape_and_groups,
            dtype=dtype,
            layout=layout,
            weight_dtype=weight_dtype,
            activation=activation,
        )


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_gradients_have_the_same_bits_again(device, inputs, row, layout):
    x, weight, bias, dy = inputs((8, 320, 33, 32), dtype=torch.float32, layout=layout, weight_dtype=torch.float32)
    ours = [one.to(device).requires_grad_() for one in (x, weight, bias)]
    once, again = (
        torch.autograd.grad(row.call(ours[0], 32, *ours[1:], 1e-5, activation="silu"), ours, dy.to(device))
        for _ in range(2)
    )
    assert all(map(torch.equal, once, again))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_a_mean_far_from_zero_costs_no_digit(check_on_device, row, layout):
    only = torch.float32
    check_on_device(
        row.call, (2, 8, 40, 33), 2, dtype=only, layout=layout, weight_dtype=only, activation="none", mean=1e4
    )


def test_a_call_is_queued_on_the_current_stream(check_on_device, row):
    """Captured in a graph, it runs when the graph does and reads what x holds then."""
    x = torch.randn(2, 8, 16, 16, device="cuda")
    row.call(x, 2, None, None, 1e-5)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = row.call(x, 2, None, None, 1e-5)
    x.copy_(torch.randn_like(x))
    graph.replay()
    torch.cuda.synchronize()
    torch.testing.assert_close(y, torch.nn.functional.group_norm(x, 2))
