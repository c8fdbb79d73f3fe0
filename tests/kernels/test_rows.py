"""Every row computes GroupNorm: against an oracle in float64, and against the norms it turns into."""

import pytest
import torch
from torch.nn import functional

# (N, C, H, W), G: one position, odd sizes, G = 1, G = C, more than a tile (16,770 elements a group), more than a chunk.
SHAPES = [
    ((2, 8, 1, 1), 2),
    ((2, 6, 5, 7), 3),
    ((3, 4, 3, 3), 1),
    ((2, 5, 4, 1), 5),
    ((1, 96, 9, 11), 32),
    ((1, 4, 129, 65), 2),
    ((1, 4, 160, 120), 2),
]
# Each activation, with weights of x's type, of float32, and none: no row decides anything by two of these at once.
VARIANTS = [("none", None), ("silu", "own"), ("relu", "float32")]
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
LAYOUTS = ["contiguous", "channels_last"]
EXACT = ["cpp", "triton"]
WITHOUT_COMPILING = ["native", "naive", *EXACT]


def assert_agrees(y, x, truth, float32_error=1e-6):
    """One rounding of the output's type at the largest magnitude, and the error of the sums in float32."""
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert y.stride() == x.stride()
    allowed = (torch.finfo(x.dtype).eps + float32_error) * truth.abs().max()
    assert (y.double() - truth).abs().max() <= allowed


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("shape", "groups"), SHAPES, ids=str)
@pytest.mark.parametrize("name", WITHOUT_COMPILING)
def test_agrees_with_the_oracle(rows, oracle, make, *, name, shape, groups, dtype, layout):
    for activation, weights in VARIANTS:
        weight_dtype = torch.float32 if weights == "float32" else dtype
        x, weight, bias = make(shape, dtype, layout, weight_dtype=weight_dtype)
        given = (weight, bias) if weights else (None, None)
        before = x.clone()
        y = rows[name].call(x, groups, *given, 1e-5, activation=activation)
        # The first two keep no remainder of the mean: 1.6e-6 on the last shape, channels_last.
        error = 1e-6 if name in EXACT else 3e-6
        assert_agrees(y, x, oracle(x, groups, *given, activation=activation), error)
        assert torch.equal(x, before)


# Two problems, for each costs seconds: its arithmetic is naive's own.
@pytest.mark.parametrize(("dtype", "layout"), [(torch.float32, "contiguous"), (torch.bfloat16, "channels_last")])
def test_compiled_agrees_with_the_oracle(rows, oracle, make, dtype, layout):
    x, weight, bias = make((2, 6, 5, 7), dtype, layout)
    y = rows["compiled"].call(x, 3, weight, bias, 1e-5, activation="silu")
    assert_agrees(y, x, oracle(x, 3, weight, bias, activation="silu"))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("name", WITHOUT_COMPILING)
def test_volumes_and_rows_of_features(rows, oracle, make, name, layout):
    for shape in ((2, 6, 3, 4, 5), (2, 6)) if layout == "contiguous" else ((2, 6, 3, 4, 5),):
        x, weight, bias = make(shape, layout=layout)
        assert_agrees(rows[name].call(x, 3, weight, bias, 1e-5), x, oracle(x, 3, weight, bias))


@pytest.mark.parametrize("name", WITHOUT_COMPILING)
def test_one_group_is_layer_norm(rows, make, name):
    x, _, _ = make((2, 6, 5, 7))
    expected = functional.layer_norm(x, x.shape[1:], eps=1e-3)
    torch.testing.assert_close(rows[name].call(x, 1, None, None, 1e-3), expected)


@pytest.mark.parametrize("name", WITHOUT_COMPILING)
def test_a_group_a_channel_is_instance_norm(rows, make, name):
    x, _, _ = make((2, 6, 5, 7))
    expected = torch.nn.InstanceNorm2d(6, eps=1e-3)(x)
    torch.testing.assert_close(rows[name].call(x, 6, None, None, 1e-3), expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("mean", "spread"), [(1e4, 1.0), (3e3, 1e-2)])
@pytest.mark.parametrize("name", EXACT)
def test_a_mean_far_from_zero_costs_no_digit(rows, oracle, make, *, name, mean, spread, layout):
    """Native is wrong by 2.8e-3 here on contiguous data, and by 1.6e3 on channels_last."""
    x, weight, bias = make((2, 8, 40, 33), layout=layout, mean=mean, spread=spread)
    truth = oracle(x, 2, weight, bias)
    error = (rows[name].call(x, 2, weight, bias, 1e-5) - truth).abs().max()
    assert error <= 1e-6 * truth.abs().max()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", EXACT)
def test_a_constant_group_gives_the_bias(rows, make, name, layout):
    x, weight, bias = make((2, 8, 40, 33), layout=layout, mean=1234.567, spread=0.0)
    y = rows[name].call(x, 2, weight, bias, 1e-5)
    assert torch.equal(y, bias.reshape(1, -1, 1, 1).expand_as(x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", WITHOUT_COMPILING)
def test_what_is_not_finite_spoils_its_group_alone(rows, make, name, value, layout):
    x, _, _ = make((2, 6, 5, 7), layout=layout)
    x[1, 2, 3, 4] = value
    for activation in ("none", "silu", "relu"):
        y = rows[name].call(x, 3, None, None, 1e-5, activation=activation)
        assert y[1, 2:4].isnan().all()
        assert y.isfinite().sum() == y.numel() - y[1, 2:4].numel()


@pytest.mark.parametrize("name", WITHOUT_COMPILING)
def test_nothing_in_nothing_out(rows, make, name):
    x, weight, bias = make((0, 6, 5, 7))
    assert rows[name].call(x, 3, weight, bias, 1e-5).shape == x.shape


@pytest.mark.parametrize("activation", ["none", "silu", "relu"])
@pytest.mark.parametrize("name", ["native", "naive"])
def test_gradients_are_right(rows, make, name, activation):
    x, weight, bias = make((2, 4, 3, 2), torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (x, weight.clone(), bias.clone())]
    call = rows[name].call
    assert torch.autograd.gradcheck(lambda x, w, b: call(x, 2, w, b, 1e-5, activation=activation), inputs)
