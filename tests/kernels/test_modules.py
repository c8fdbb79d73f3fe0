"""The drop-in module and its swap through a model: the same figures, the same state dict, one activation less."""

import copy
import pickle
import re
import subprocess
import sys

import pytest
import torch
from torch import nn

import kernels
from kernels import GroupNorm, replace_group_norm


@pytest.fixture
def model():
    torch.manual_seed(0)
    inner = nn.Sequential(nn.GroupNorm(4, 8), nn.ReLU())
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8, eps=1e-3), nn.SiLU(), inner)


def x_of(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("implementation", ["native", "naive", "auto"])
def test_a_swapped_model_computes_the_same_forward_and_backward(model, implementation):
    before, x = copy.deepcopy(model), x_of(2, 3, 9, 9)
    replaced = replace_group_norm(model, implementation)
    assert (replaced.swapped, replaced.fused, dict(replaced.left)) == (("1", "3.0"), ("2", "3.1"), {})
    expected, y = before(x), replaced.model(x)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-6)
    expected.square().sum().backward()
    y.square().sum().backward()
    for own, other in zip(model.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_parameters_names_and_state_dict_stay(model):
    parameters, state = dict(model.named_parameters()), model.state_dict()
    replace_group_norm(model, "naive")
    assert all(parameters[name] is parameter for name, parameter in model.named_parameters())
    assert model.state_dict().keys() == state.keys()
    nn.Sequential(nn.GroupNorm(4, 8)).load_state_dict(nn.Sequential(GroupNorm(4, 8)).state_dict())


def test_the_module_itself_may_be_the_model():
    norm = nn.GroupNorm(2, 4)
    assert replace_group_norm(norm, "naive").model is norm
    assert isinstance(norm, GroupNorm)
    assert norm.implementation == "naive"


def test_it_says_what_it_is():
    expected = "2, 4, eps=1e-05, affine=True, "
    said = GroupNorm(2, 4, implementation="naive", activation="silu").extra_repr()
    assert said.startswith(expected)
    assert said.endswith("implementation='naive', activation='silu'")


@pytest.mark.parametrize("activation", ["none", "silu", "relu"])
def test_the_activation_is_that_of_torch(activation):
    x = x_of(2, 4, 5, 5)
    plain = nn.functional.group_norm(x, 2, eps=1e-5)
    expected = {"none": plain, "silu": nn.functional.silu(plain), "relu": nn.functional.relu(plain)}[activation]
    norm = GroupNorm(2, 4, affine=False, activation=activation, implementation="naive")
    torch.testing.assert_close(norm(x), expected, rtol=1e-5, atol=1e-6)


def test_a_hook_between_norm_and_activation_keeps_them_apart(model):
    seen = []
    model[2].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    assert replace_group_norm(model, "naive").fused == ("3.1",)
    model(x_of(1, 3, 9, 9))
    assert seen[0].min() < 0


def test_a_norm_used_twice_keeps_its_output():
    norm = nn.GroupNorm(2, 4)
    twice = nn.Sequential(norm, nn.ReLU(), norm)
    before, x = copy.deepcopy(twice), x_of(2, 4, 3, 3)
    assert replace_group_norm(twice, "naive").fused == ()
    torch.testing.assert_close(twice(x), before(x), rtol=1e-5, atol=1e-6)


def test_fusing_can_be_declined_and_repeating_changes_nothing(model):
    assert replace_group_norm(model, "naive", fuse=False).fused == ()
    replace_group_norm(model, "naive")
    again = replace_group_norm(model, "native")
    assert (again.swapped, again.fused) == (("1", "3.0"), ())
    assert [model[1].activation, model[1].implementation] == ["silu", "native"]


def test_a_class_of_its_own_is_left_alone_and_named():
    class Loud(nn.GroupNorm):
        pass

    replaced = replace_group_norm(nn.Sequential(Loud(2, 4)), "naive")
    assert dict(replaced.left) == {"0": "Loud is a class of its own"}


def test_it_is_copied_pickled_and_compiled(model):
    replace_group_norm(model, "naive")
    x = x_of(2, 3, 9, 9)
    expected = model(x)
    assert torch.equal(copy.deepcopy(model)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


def test_automatic_is_native_where_ours_cannot():
    x = x_of(2, 4, 3, 3).double()
    norm = GroupNorm(2, 4, dtype=torch.float64)
    torch.testing.assert_close(norm(x), nn.functional.group_norm(x, 2, eps=1e-5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: GroupNorm(2, 4, implementation="cqq"),
            "implementation: 'cqq' is none of auto, compiled, cpp, cuda, naive, native, triton",
        ),
        (lambda: GroupNorm(2, 4, activation="gelu"), "activation: 'gelu' is none of none, silu, relu"),
        (lambda: replace_group_norm(nn.GroupNorm(2, 4), "cqq"), "implementation: 'cqq' is none of"),
        (
            lambda: GroupNorm(2, 4, implementation="cpp", dtype=torch.float64)(x_of(1, 4, 2, 2).double()),
            "implementation 'cpp', torch.float64 on cpu: dtype float64: only float32, float16, bfloat16",
        ),
    ],
)
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        make()


def test_a_row_without_gradient_says_so():
    @kernels.register("no-gradient-for-modules", devices=("cpu",), dtypes=("float32",))
    def group_norm(x, num_groups, weight, bias, eps):
        return nn.functional.group_norm(x, num_groups, weight, bias, eps)

    try:
        norm = GroupNorm(2, 4, implementation="no-gradient-for-modules")
        with pytest.raises(ValueError, match="no gradient comes through it"):
            norm(x_of(1, 4, 2, 2))
        with torch.no_grad():
            assert norm(x_of(1, 4, 2, 2)).shape == (1, 4, 2, 2)
    finally:
        kernels.table.remove("no-gradient-for-modules")


def test_importing_kernels_imports_no_torch():
    program = "import sys, kernels; assert 'torch' not in sys.modules; kernels.GroupNorm; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
