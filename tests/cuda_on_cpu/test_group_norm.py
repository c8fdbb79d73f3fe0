"""The forward source of the row ``cuda``, executed: right in every way to launch it, and silent.

Left out: large shapes. Made-up devices with little shared memory send small ones down every way.
"""

import cuda_on_cpu as cpu
import forward
import pytest
import torch

SHAPES = {
    (2, 6): 3,  # a group of two elements, and no positions beside
    (2, 8, 1, 1): 8,  # one element a group
    (2, 6, 33): 2,
    (3, 12, 7, 5): 3,  # odd
    (2, 24, 16, 16): 3,
    (2, 16, 24, 24): 2,
    (1, 20, 17, 19): 2,  # odd, and longer than a block holds
    (2, 4, 3, 5, 7): 2,
}
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
ONE_OF_EACH = {
    "small": ((2, 8, 6, 6), 4, "alone"),
    "alone": ((2, 24, 16, 16), 3, "alone"),
    "cluster": ((2, 16, 24, 24), 2, "cluster"),
    "grid": ((2, 16, 24, 24), 2, "grid"),
    "split": ((2, 16, 24, 24), 2, "split"),
}


def _layouts(shape):
    return (False, True) if len(shape) > 3 else (False,)


def _close(y, truth):
    largest = truth.abs().max()
    if y.dtype == torch.float32:
        return (y.double() - truth).abs().max() <= 4e-7 * largest
    # As near as the type allows, but for one in a thousand.
    return (y != truth.to(y.dtype)).sum() <= max(1, y.numel() // 1000)


def _statistics(x, num_groups, eps=1e-5):
    groups = x.double().contiguous().reshape(x.shape[0], num_groups, -1)
    return groups.mean(2), (groups.var(2, correction=0) + eps).rsqrt()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("device", forward.DEVICES)
def test_every_shape_is_right_on_every_device_and_silent(sanitizer, device, dtype):
    ways = set()
    for shape, groups in SHAPES.items():
        for channels_last in _layouts(shape):
            x, weight, bias = forward.inputs(shape, dtype, channels_last=channels_last)
            plan = forward.plan_of(x, groups, device)
            ways.add(plan.way)
            y, statistics = forward.forward(x, groups, weight, bias, plan=plan, activation=1, sanitizer=sanitizer)
            assert y.stride() == x.stride()
            case = (shape, channels_last, plan.way, plan.variant)
            assert _close(y, forward.oracle(x, groups, weight, bias, activation=1)), case
            mean, rstd = _statistics(x, groups)
            told = statistics.double()
            assert (told[..., 0] + told[..., 1] - mean).abs().max() <= 2e-7 * (1 + mean.abs().max()), case
            assert ((told[..., 2] - rstd) / rstd).abs().max() <= 1e-6, case
    assert device in ways


@pytest.mark.parametrize("way", ONE_OF_EACH)
@pytest.mark.parametrize("activation", [0, 1, 2])
def test_activations_and_absent_parameters_of_either_type(sanitizer, way, activation):
    shape, groups, device = ONE_OF_EACH[way]
    x, weight, bias = forward.inputs(shape, torch.bfloat16, torch.float32)
    plan = forward.plan_of(x, groups, device)
    assert plan.way == way
    for w, b in ((weight, bias), (None, None), (weight, None), (None, bias)):
        y, _ = forward.forward(x, groups, w, b, plan=plan, activation=activation, sanitizer=sanitizer)
        assert _close(y, forward.oracle(x, groups, w, b, activation=activation))


@pytest.mark.parametrize("way", ONE_OF_EACH)
def test_hard_values_stay_exact_in_every_way(sanitizer, way):
    shape, groups, device = ONE_OF_EACH[way]
    ordinary, weight, bias = forward.inputs(shape)
    plan = forward.plan_of(ordinary, groups, device)
    huge = ordinary * 3e37
    cases = {
        "mean 1e4, spread 1": ordinary + 1e4,
        "mean 1e3, spread 1e-2": ordinary * 1e-2 + 1e3,
        "beyond 1e19": ordinary * 1e25,
        "near the type's limit": huge,
        "one huge outlier": ordinary.clone().index_put_((torch.tensor(0),) * len(shape), torch.tensor(1e30)),
        "halves of two values": torch.where(ordinary > 0.3, 5.0, -5.0),
    }
    for name, x in cases.items():
        y, _ = forward.forward(x, groups, weight, bias, plan=plan, sanitizer=sanitizer)
        assert y.isfinite().all(), name
        assert _close(y, forward.oracle(x, groups, weight, bias)), name
    constant = torch.full(shape, 1234.5678)
    y, _ = forward.forward(constant, groups, weight, bias, plan=plan, sanitizer=sanitizer)
    assert torch.equal(y, bias.reshape(1, -1, 1, 1).expand(shape))


@pytest.mark.parametrize("way", ONE_OF_EACH)
def test_a_poisoned_group_poisons_itself_alone(sanitizer, way):
    shape, groups, device = ONE_OF_EACH[way]
    x, weight, bias = forward.inputs(shape)
    plan = forward.plan_of(x, groups, device)
    clean, _ = forward.forward(x, groups, weight, bias, plan=plan, sanitizer=sanitizer)
    x[1, 0, 3, 2] = float("nan")
    y, _ = forward.forward(x, groups, weight, bias, plan=plan, sanitizer=sanitizer)
    channels = shape[1] // groups
    assert y[1, :channels].isnan().all()
    assert torch.equal(y[0], clean[0])
    assert torch.equal(y[1, channels:], clean[1, channels:])


@pytest.mark.parametrize("way", ["cluster", "grid"])
def test_every_way_and_every_order_has_the_same_bits(sanitizer, way):
    shape, groups, device = ONE_OF_EACH[way]
    x, weight, bias = forward.inputs(shape)
    plan = forward.plan_of(x, groups, device)
    first, _ = forward.forward(x, groups, weight, bias, plan=plan, activation=1, sanitizer=sanitizer)
    for seed in range(1, 4):
        other, _ = forward.forward(x, groups, weight, bias, plan=plan, activation=1, seed=seed, sanitizer=sanitizer)
        assert torch.equal(first, other)
    split, _ = forward.forward(x, groups, weight, bias, plan=plan.fallback, activation=1, sanitizer=sanitizer)
    assert torch.equal(first, split)
    alone, _ = forward.forward(
        x[:1], groups, weight, bias, plan=forward.plan_of(x[:1], groups, device), activation=1, sanitizer=sanitizer
    )
    assert torch.equal(first[:1], alone)


PLANTED = [
    (
        "alone",
        "group_norm.cu",
        "s.s_normals, g_statistics);\n    __syncthreads();",
        "s.s_normals, g_statistics);",
        r"(race|uninitialized): .* dynamic shared memory",
    ),
    (
        "alone",
        "statistics.cuh",
        "device::copy_async16(s, g_slice + offset_of(shape, line, column));",
        "device::copy_async16(s, g_slice + offset_of(shape, line, column) + VECTOR);",
        r"out of bounds: .* behind the end of x",
    ),
    (
        "cluster",
        "exchange.cuh",
        "    device::cluster_arrive();\n    device::cluster_wait();\n    return s_slots;",
        "    return s_slots;",
        r"(race|uninitialized|cluster|deadlock): ",
    ),
    (
        "grid",
        "exchange.cuh",
        "while (device::load_acquire(team.g_counters + item) < static_cast<unsigned>(team.size)) device::pause();",
        "",
        r"(race|uninitialized): .* slots",
    ),
    (
        "grid",
        "exchange.cuh",
        "}\n  __syncthreads();\n  return published",
        "}\n  return published",
        r"(race|uninitialized): .* slots",
    ),
    (
        "grid",
        "exchange.cuh",
        "team.g_slots + (item * team.size + team.rank) * count",
        "team.g_slots + (item * team.size) * count",
        r"(race|uninitialized): .* slots",
    ),
    (
        "split",
        "group_norm.cu",
        "published(team, tile / per_group, item)",
        "published(team, tile / per_group, item + 1)",
        r"out of bounds: .* slots",
    ),
    (
        "small",
        "small.cuh",
        "if (valid[k]) x[k] = load_vector<false>(g);",
        "x[k] = load_vector<false>(g);",
        r"out of bounds: .* behind the end of x",
    ),
]


@pytest.mark.parametrize(("way", "planted", "told"), [(one[0], one[1:4], one[4]) for one in PLANTED])
def test_a_fault_planted_in_the_source_is_found(plant, way, planted, told):
    shape, groups, device = ONE_OF_EACH[way]
    x, weight, bias = forward.inputs(shape)
    plan = forward.plan_of(x, groups, device)
    source = plant(forward.SOURCE, *planted)
    with pytest.raises(cpu.FaultError, match=told):
        forward.forward(x, groups, weight, bias, plan=plan, activation=1, source=source)


def test_the_address_sanitizer_finds_an_index_too(plant):
    shape, groups, device = ONE_OF_EACH["alone"]
    x, weight, bias = forward.inputs(shape)
    source = plant(
        forward.SOURCE,
        "normalize.cuh",
        "if (valid) store_vector(g, y);",
        "store_vector(g + 4096 * VECTOR, y);",
    )
    with pytest.raises(cpu.FaultError, match=r"^AddressSanitizer: .* at \w+\.cuh?:\d+$"):
        forward.forward(
            x, groups, weight, bias, plan=forward.plan_of(x, groups, device), sanitizer="address", source=source
        )
