import pytest
import torch
import torch.nn.functional as F

from bench.measure.call import Gradient, bind, cloning, copying, native, saved_bytes
from bench.measure.inputs import make_inputs
from bench.plan.problem import Problem


def problem(**kwargs):
    return Problem(N=2, C=8, H=4, W=4, G=2, **kwargs)


def test_a_kernel_without_activation_is_called_without_it():
    inputs = make_inputs(problem(), 0)
    assert torch.equal(bind(F.group_norm, problem(), inputs)(), bind(native, problem(), inputs)())


def test_training_keeps_a_graph_and_leaves_the_inputs_leaves():
    inputs = make_inputs(problem(), 0)
    output = bind(native, problem(direction="training_forward"), inputs)()
    assert output.requires_grad
    assert not inputs.x.requires_grad


@pytest.mark.parametrize("affine", [True, False])
def test_backward_is_nothing_but_the_gradients(affine):
    asked = problem(direction="backward", affine=affine)
    calls = []

    def counted(x, num_groups, weight, bias, eps, *, activation="none"):
        calls.append(1)
        return native(x, num_groups, weight, bias, eps, activation=activation)

    call = bind(counted, asked, make_inputs(asked, 0))
    first, second = call(), call()
    assert len(calls) == 1
    assert [grad.shape for grad in first] == [(2, 8, 4, 4), (8,), (8,)][: 3 if affine else 1]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_copies_move_what_the_problem_moves():
    inputs = make_inputs(problem(), 0)
    assert torch.equal(copying(inputs)(), inputs.x)
    assert torch.equal(cloning(inputs)(), inputs.x)
    backward = problem(direction="backward")
    inputs = make_inputs(backward, 0)
    assert torch.equal(copying(inputs)(), inputs.x + inputs.dy)


def test_saved_bytes_count_each_storage_once():
    asked = problem(direction="training_forward")
    inputs = make_inputs(asked, 0)
    kept = saved_bytes(bind(native, asked, inputs))
    assert kept == inputs.x.nbytes + inputs.weight.nbytes + 2 * 2 * 2 * 4  # mean and rstd: N * G float32 each

    def twice_as_much(x, num_groups, weight, bias, eps):
        return F.group_norm(x, num_groups, weight, bias, eps).square()  # keeps y as well

    assert saved_bytes(bind(twice_as_much, asked, inputs)) == kept + inputs.x.nbytes


@pytest.mark.parametrize("affine", [True, False])
def test_a_kernels_own_backward_is_given_the_upstream_gradient_and_called_alone(affine):
    asked = problem(direction="backward", affine=affine)
    inputs = make_inputs(asked, 0)

    def gradients(dy, x, *rest):
        num_groups, weight, bias, eps = rest
        assert dy is inputs.dy
        leaves = [one.detach().requires_grad_() for one in (x, weight, bias) if one is not None]
        with torch.enable_grad():
            y = F.group_norm(leaves[0], num_groups, *(leaves[1:] or (None, None)), eps)
        found = torch.autograd.grad(y, leaves, dy)
        return found if affine else (*found, None, None)

    own, autograds = bind(Gradient(gradients), asked, inputs)(), bind(native, asked, inputs)()
    assert len(own) == len(autograds) == (3 if affine else 1)
    assert all(torch.equal(a, b) for a, b in zip(own, autograds, strict=True))
