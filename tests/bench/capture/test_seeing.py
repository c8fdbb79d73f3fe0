"""What is seen of hand-made networks, and that nothing of theirs changes."""

import threading
from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.capture import capture
from bench.capture.seeing import compiling
from bench.capture.seeing.calls import SURE

X = torch.arange(2.0 * 8 * 4 * 6).reshape(2, 8, 4, 6).sin()
TRUE = torch.group_norm


@pytest.fixture(autouse=True)
def _nothing_was_compiled(monkeypatch):
    """Other tests of this process may have compiled something, and then nothing is watched."""
    monkeypatch.setitem(compiling._state, "at work", False)


def norm(x=X, **more):
    return F.group_norm(x, 2, **more)


def seen_of(program, *names, grad=False):
    """Count the calls of a program by these of their facts."""
    with capture() as recording, torch.set_grad_enabled(grad):
        program()
    counted = Counter()
    for call, count in recording.seen.calls.items():
        values = tuple(getattr(call, name) for name in names)
        counted[values[0] if len(values) == 1 else values] += count
    return dict(counted)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * torch.sigmoid(x)


def add_then_relu():
    y = norm()
    y += 1
    F.relu(y)


def swish(y):
    return y * torch.sigmoid(y)


def swish_from_the_left(y):
    return torch.sigmoid(y) * y


def swish_in_place(y):
    return y.mul_(y.sigmoid())


def gate_and_product(y):
    return torch.sigmoid(y), y * X


def looked_at():
    y = norm()
    assert y.shape == X.shape
    assert len(y) == y.size(0) == 2
    assert (y.is_contiguous(), y.stride()) == (True, X.stride())
    F.silu(y)


FOLLOWS = {
    "nn.SiLU": (lambda: nn.SiLU()(norm()), "silu"),
    "nn.SiLU in place": (lambda: nn.SiLU(inplace=True)(norm()), "silu"),
    "F.silu": (lambda: F.silu(norm()), "silu"),
    "x * sigmoid(x)": (lambda: swish(norm()), "silu"),
    "sigmoid(x) * x": (lambda: swish_from_the_left(norm()), "silu"),
    "x.mul_(x.sigmoid())": (lambda: swish_in_place(norm()), "silu"),
    "in a function of autograd": (lambda: Swish.apply(norm()), "silu"),
    "a gate of another": (lambda: torch.sigmoid(norm()) * X, "nothing"),
    "a gate, then another's product": (lambda: gate_and_product(norm()), "sigmoid"),
    "nn.ReLU": (lambda: nn.ReLU()(norm()), "relu"),
    "nn.ReLU in place": (lambda: nn.ReLU(inplace=True)(norm()), "relu"),
    "torch.relu": (lambda: torch.relu(norm()), "relu"),
    "torch.relu_": (lambda: torch.relu_(norm()), "relu"),
    "x.relu()": (lambda: norm().relu(), "relu"),
    "gelu": (lambda: F.gelu(norm()), "gelu"),
    "a residual": (lambda: torch.relu(norm() + X), "add"),
    "a residual from the left": (lambda: X + norm(), "add"),
    "a residual in place": (add_then_relu, "add"),
    "dropout that is off": (lambda: F.relu(F.dropout(norm(), training=False)), "relu"),
    "its own type": (lambda: F.relu(norm().to(torch.float32).contiguous()), "relu"),
    "another type": (lambda: F.relu(norm().to(torch.float64)), "to"),
    "looked at": (looked_at, "silu"),
    "in a list": (lambda: torch.cat([X, norm()]), "cat"),
    "an attribute": (lambda: norm().T, "T"),
    "another norm": (lambda: norm(norm().clone()), "clone"),
    "nothing": (norm, "nothing"),
}


@pytest.mark.filterwarnings("ignore:The use of `x.T`")
@pytest.mark.parametrize("name", FOLLOWS)
def test_what_follows(name):
    program, follows = FOLLOWS[name]
    counted = seen_of(program, "follows")
    counted.pop("nothing", None) if name == "another norm" else None
    assert counted == {follows: 1}


class Own(nn.GroupNorm):
    """As timm's: the activation runs inside."""

    def forward(self, x):
        return F.relu(F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps))


@pytest.mark.parametrize(
    "call",
    [
        lambda: nn.GroupNorm(2, 8)(X),
        lambda: Own(2, 8)(X),
        lambda: F.group_norm(X, 2, torch.ones(8), torch.zeros(8)),
        lambda: torch.group_norm(X, 2, torch.ones(8), torch.zeros(8)),
        lambda: torch.group_norm(input=X, num_groups=2, bias=torch.zeros(8), weight=torch.ones(8), cudnn_enabled=False),
        lambda: torch.native_group_norm(X, torch.ones(8), torch.zeros(8), 2, 8, 24, 2, 1e-5),
    ],
    ids=["module", "subclass", "F", "torch", "by keyword", "native"],
)
def test_a_call_is_seen_however_it_is_made(call):
    names = ("shape", "groups", "eps", "dtype", "weight_dtype", "bias", "layout", "device", "direction")
    assert seen_of(call, *names) == {
        ((2, 8, 4, 6), 2, 1e-5, "float32", "float32", True, "contiguous", "cpu", "forward"): 1
    }


@pytest.mark.parametrize(
    ("x", "layout", "strides"),
    [
        (X[:, :, 0, 0].contiguous(), "contiguous", None),
        (X.flatten(2), "contiguous", None),
        (X.reshape(2, 8, 2, 3, 4), "contiguous", None),
        (X.to(memory_format=torch.channels_last), "channels_last", None),
        (X[:1].flatten(2).transpose(1, 2).contiguous().transpose(1, 2).unflatten(2, (4, 6)), "channels_last", None),
        (X.reshape(2, 8, 2, 3, 4).to(memory_format=torch.channels_last_3d), "channels_last", None),
        (X.flatten(2).transpose(1, 2).contiguous().transpose(1, 2), "strided", (192, 1, 8)),
        (X.transpose(2, 3), "strided", (192, 24, 1, 6)),
    ],
)
def test_layouts_and_strides(x, layout, strides):
    assert seen_of(lambda: norm(x), "shape", "layout", "strides") == {(tuple(x.shape), layout, strides): 1}


def test_types_of_x_and_weight_are_apart():
    half = X.to(torch.bfloat16)
    weights = {"weight": torch.ones(8), "bias": torch.zeros(8)}
    names = ("dtype", "weight_dtype", "bias")
    assert seen_of(lambda: norm(half, **weights), *names) == {("bfloat16", "float32", True): 1}
    assert seen_of(lambda: norm(half), *names) == {("bfloat16", None, False): 1}
    assert seen_of(lambda: norm(X, weight=torch.ones(8)), *names) == {("float32", "float32", False): 1}


def test_autocast_counts_as_what_is_computed():
    def program():
        with torch.autocast("cpu", torch.bfloat16):
            nn.GroupNorm(2, 8)(F.conv2d(X, torch.ones(8, 8, 1, 1)))

    assert seen_of(program, "dtype", "weight_dtype") == {("bfloat16", "float32"): 1}


def test_a_gradient_counts_when_it_is_computed():
    net = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), nn.GroupNorm(4, 8))

    def program():
        net(X)  # its gradient is never asked for
        y = net(X).sum()
        y.backward(retain_graph=True)
        y.backward()
        with torch.no_grad():
            net(X)
        with torch.inference_mode():
            net(X)
        norm()  # nothing requires a gradient: no statistics are kept

    assert seen_of(program, "direction", "groups", "follows", grad=True) == {
        ("training_forward", 2, "silu"): 2,
        ("training_forward", 4, "sum"): 1,
        ("training_forward", 4, "nothing"): 1,
        ("backward", 2, "silu"): 2,
        ("backward", 4, "sum"): 2,
        ("forward", 2, "silu"): 2,
        ("forward", 4, "nothing"): 2,
        ("forward", 2, "nothing"): 1,
    }


def test_results_and_gradients_are_bitwise_what_they_are_without():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 1), nn.GroupNorm(4, 8), nn.SiLU()
    )

    def step():
        net.zero_grad()
        x = X.clone().requires_grad_()
        y = swish(F.group_norm(net(x), 2)) + F.group_norm(x, 8)[:, :, 1:-1, 1:-1]
        y.square().sum().backward()
        return [y.detach(), x.grad, *(one.grad.clone() for one in net.parameters())]

    without = step()
    with capture():
        recorded = step()
    assert all(torch.equal(one, other) for one, other in zip(without, recorded, strict=True))
    assert {type(one) for one in recorded} == {torch.Tensor}


def test_attention_keeps_its_fast_path():
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    tokens = X.reshape(8, 8, 6).transpose(1, 2)

    def paths():
        with torch.no_grad(), torch.profiler.profile() as profile:
            y = F.group_norm(tokens, 2)
            attention(y, y, y)
        return "aten::_native_multi_head_attention" in {one.key for one in profile.key_averages()}

    assert paths()
    with capture() as recording:
        assert paths()
    assert {call.follows for call in recording.seen.calls} == {"dim"}


def test_a_step_made_again_and_again_is_counted_whole():
    net = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU())

    def program():
        for _ in range(100):
            net(X).sum().backward()

    assert seen_of(program, "direction", "follows", grad=True) == {
        ("training_forward", "silu"): 100,
        ("backward", "silu"): 100,
    }


def trained(net, steps):
    for _ in range(steps):
        net(X).sum().backward()


def test_gradients_that_are_no_longer_computed_are_not_counted():
    """Though forty were, and no call of a step that is made again and again is hooked any more."""
    net = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU())

    def program():
        trained(net, 40)
        for _ in range(20):
            net(X)
        trained(net, 30)

    assert seen_of(program, "direction", grad=True) == {"training_forward": 90, "backward": 70}


def test_gradients_of_a_graph_that_is_gone_through_twice_are_counted_twice():
    net = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU())

    def program():
        for _ in range(40):
            y = net(X).sum()
            y.backward(retain_graph=True)
            y.backward()

    assert seen_of(program, "direction", grad=True) == {"training_forward": 40, "backward": 80}


def test_the_gradients_of_another_network_are_not_this_ones():
    teacher, student = nn.GroupNorm(2, 8), nn.GroupNorm(4, 8)

    def program():
        for _ in range(60):
            (teacher(X).detach() - student(X)).square().sum().backward()

    assert seen_of(program, "direction", "groups", grad=True) == {
        ("training_forward", 2): 60,
        ("training_forward", 4): 60,
        ("backward", 4): 60,
    }


def test_a_network_that_stops_learning_while_another_goes_on_is_found_within_sixteen_calls():
    teacher, student = nn.GroupNorm(2, 8), nn.GroupNorm(4, 8)

    def program():
        for step in range(140):
            y = teacher(X)
            ((y if step < 70 else y.detach()) - student(X)).square().sum().backward()

    counted = seen_of(program, "direction", "groups", grad=True)
    assert counted["backward", 4] == 140
    assert 70 <= counted["backward", 2] < 70 + SURE


def test_a_hook_of_the_programs_own_sees_what_it_sees_without():
    net = nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU())
    met = []

    def program():
        for _ in range(40):
            y = net(X)
            y.grad_fn.register_prehook(lambda gradients: met.append(type(gradients[0])))
            torch.autograd.grad(y.sum(), net[0].weight)

    assert seen_of(program, "direction", grad=True) == {"training_forward": 40, "backward": 40}
    assert met == [torch.Tensor] * 40


def test_one_norm_in_two_places_is_told_apart():
    shared = nn.GroupNorm(2, 8)

    def program():
        for _ in range(50):
            F.silu(shared(X))
            shared(X).sum()

    assert seen_of(program, "follows") == {"silu": 50, "sum": 50}


def test_a_norm_in_the_place_of_one_that_is_gone_is_looked_at_anew():
    def program():
        for act in (F.silu, F.relu):
            one = nn.GroupNorm(2, 8)
            for _ in range(40):
                act(one(X))
            del one

    assert seen_of(program, "follows") == {"silu": 40, "relu": 40}


def test_threads_are_seen():
    def program():
        threads = [threading.Thread(target=lambda: [F.relu(norm()) for _ in range(50)]) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    assert seen_of(program, "follows") == {"relu": 200}


def test_a_result_that_cannot_be_watched_is_unknown():
    class Kind(torch.Tensor):
        pass

    assert seen_of(lambda: F.relu(norm(X.as_subclass(Kind))), "follows") == {"unknown": 1}


def test_the_compiler_meets_plain_tensors_and_is_told_of(monkeypatch):
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    monkeypatch.setitem(compiling._state, "heard", False)  # a reset forgets who listens
    after = torch.compile(lambda y: F.relu(y) + 1, backend="eager")
    inside = torch.compile(lambda x: F.relu(norm(x)), backend="aot_eager")
    with capture() as recording, torch.no_grad():
        made = [after(norm()), after(norm()), inside(X)]
    assert torch.equal(made[0], F.relu(norm()) + 1)
    assert torch.equal(made[2], F.relu(norm()))
    assert {call.follows: count for call, count in recording.seen.calls.items()} == {"unknown": 2}
    assert recording.seen.compiles
    assert torch._dynamo.utils.counters["frames"]["total"] == 2  # none was compiled again for another class
    assert any("TORCHDYNAMO_DISABLE=1" in one for one in recording.preset().remarks)


def test_torch_is_as_it_was_afterwards_and_captures_may_be_nested():
    with capture() as outer:
        norm()
        with capture() as inner:
            F.relu(norm())
        norm()
    assert torch.group_norm is TRUE
    assert torch.autograd._engine_run_backward is torch.autograd.graph._engine_run_backward
    assert (sum(outer.seen.calls.values()), sum(inner.seen.calls.values())) == (3, 1)
    assert {call.follows for call in inner.seen.calls} == {"relu"}


def test_an_error_of_the_call_itself_is_the_programs_own():
    with capture() as recording, pytest.raises(RuntimeError, match="divisible"):
        F.group_norm(X, 3)
    assert recording.seen.calls == {}
    assert torch.group_norm is TRUE
