"""The forward plan: pure, whole, within the device's limits, and the same for a sample whatever its batch."""

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.cuda import cut
from kernels.cuda.device import A100, H100, RTX5090, Device, largest_cluster
from kernels.cuda.launch import FORMATS, Pointers, arguments, plan

TINY = Device(multiprocessors=5, shared_bytes_per_block=6144, shared_bytes_per_multiprocessor=8192, largest_cluster=2)
ALONE = Device(
    multiprocessors=5, shared_bytes_per_block=4096, shared_bytes_per_multiprocessor=8192, largest_cluster=1,
    cooperative=False,
)  # fmt: skip
devices = st.sampled_from([H100, A100, RTX5090, TINY, ALONE])
shapes = st.fixed_dictionaries(
    {
        "G": st.integers(1, 40),
        "channels": st.integers(1, 40),
        "positions": st.one_of(st.integers(1, 400), st.integers(1, 2**22)),
        "channels_last": st.booleans(),
        "itemsize": st.sampled_from([2, 4]),
    }
)


def planned(shape, device, N=2):
    given = {name: shape[name] for name in ("G", "positions", "channels_last", "itemsize")}
    return plan(N=N, C=shape["G"] * shape["channels"], device=device, **given)


def item(shape):
    group = cut.Group(
        C=shape["G"] * shape["channels"], G=shape["G"], positions=shape["positions"],
        channels_last=shape["channels_last"], itemsize=shape["itemsize"],
    )  # fmt: skip
    return cut.item_of(group)


@given(shapes)
def test_an_item_is_whole_groups_whose_lines_hold_each_element_once(shape):
    one, C = item(shape), shape["G"] * shape["channels"]
    assert C % one.tile == 0
    assert one.tile == one.groups * shape["channels"]
    assert one.columns % one.width == 0
    assert 32 % one.width == 0
    elements = one.tile * shape["positions"]
    held = one.lines * one.columns * one.vector
    # Contiguous the last line may be filled in part; channels_last a line is a position's channels, no more.
    assert held - elements < (32 * one.vector if not shape["channels_last"] else 1)
    assert held >= elements


@given(shapes, st.integers(1, 600))
def test_slices_deal_every_line_to_one_block_and_leave_none_without(shape, team):
    made = cut.cut(item(shape), team)
    assert 1 <= made.team <= team
    assert (made.team - 1) * made.slice_lines < made.item.lines <= made.team * made.slice_lines
    assert 1 <= made.warps <= cut.VARIANTS[made.item.variant].most_threads // 32


@given(shapes, devices)
def test_a_launch_keeps_the_devices_limits(shape, device):
    chosen = planned(shape, device)
    for one in chosen.launches:
        assert one.block % 32 == 0
        assert 32 <= one.block <= 448
        assert one.grid >= 1
        assert one.grid % one.cluster == 0
        # Beyond the room that a block has, by a row's moments alone: forward.py has it contiguous then.
        assert one.shared_bytes <= device.shared_bytes_per_block or (shape["channels_last"] and chosen.way == "split")
        assert one.cluster <= device.largest_cluster
        assert not one.cooperative or (device.cooperative and one.grid <= device.multiprocessors)
    assert len(chosen.numbers) == len(FORMATS[chosen.launches[0].kernel])
    assert (chosen.way == "grid") == bool(chosen.counters)


@given(shapes, devices, st.integers(1, 9))
def test_a_sample_is_cut_alike_in_any_batch(shape, device, N):
    one, many = planned(shape, device, N=1), planned(shape, device, N=N)
    assert (one.way, one.variant) == (many.way, many.variant)
    assert one.numbers[1:] == many.numbers[1:]
    assert many.numbers[0] == N * one.numbers[0]


@given(shapes, devices)
def test_the_fallback_has_the_same_cut_and_asks_for_no_neighbours(shape, device):
    chosen = planned(shape, device)
    if chosen.way in {"small", "alone", "split"}:
        assert chosen.fallback is None
        return
    assert chosen.fallback.way == "split"
    assert all(one.cluster == 1 and not one.cooperative for one in chosen.fallback.launches)
    # All but the number of the way and the slices that a block holds.
    assert chosen.fallback.numbers[:-2] == chosen.numbers[:-2]


def test_the_ways_of_an_h100_follow_from_the_size_of_a_group():
    def way(positions, *, channels_last=False):
        return plan(N=2, C=320, G=32, positions=positions, channels_last=channels_last, itemsize=2, device=H100).way

    assert [way(positions) for positions in (64, 256, 4096, 65536, 2**20, 2**22)] == [
        "small", "alone", "cluster", "cluster", "grid", "split",
    ]  # fmt: skip
    assert way(4096, channels_last=True) == "cluster"
    assert plan(N=1, C=8, G=1, positions=2**30, channels_last=False, itemsize=4, device=H100).way == "split"


def test_too_many_positions_are_told():
    with pytest.raises(ValueError, match=r"x: 2147483648 positions; fewer than 2\^31 are wanted"):
        plan(N=1, C=1, G=1, positions=2**31, channels_last=False, itemsize=4, device=H100)


def test_clusters_by_compute_capability():
    assert [largest_cluster(major) for major in (8, 9, 10, 12)] == [1, 16, 16, 8]


@pytest.mark.parametrize("positions", [4, 4096])
def test_arguments_are_in_the_order_of_the_parameters(positions):
    chosen = plan(N=2, C=320, G=32, positions=positions, channels_last=False, itemsize=2, device=H100)
    pointers = Pointers(x="x", y="y", weight="w", bias="b", statistics="s", slots="slots", counters="counters")
    given = arguments(chosen, chosen.launches[0], pointers, activation=1, parameters_are_float=True, eps=0.5)
    workspace = () if chosen.way == "small" else ("slots", "counters")
    assert given[: 5 + len(workspace)] == ("x", "y", "w", "b", "s", *workspace)
    numbers = given[5 + len(workspace) : -3]
    assert tuple(number.value for number in numbers) == chosen.numbers
    kinds = {"q": ctypes.c_int64, "I": ctypes.c_uint32, "i": ctypes.c_int32}
    assert [type(number) for number in numbers] == [kinds[kind] for kind in FORMATS[chosen.launches[0].kernel]]
    assert [one.value for one in given[-3:]] == [1, 1, 0.5]
