import pytest
import torch

from bench.devices.allocations import allocation_changes, peak_of
from bench.devices.cpu import CpuDevice

MB = 1 << 20


@pytest.mark.parametrize(("changes", "peak"), [([], 0), ([3], 3), ([4, 2, -4, 1], 6), ([-2, 1], 0), ([1, -1, 5], 5)])
def test_the_peak_is_the_largest_running_sum(changes, peak):
    assert peak_of(changes) == peak


def one():
    return torch.empty(MB, dtype=torch.uint8)


def one_after_another():
    for _ in range(3):
        one()
    return one()


def three_at_once():
    kept = [one() for _ in range(3)]
    return kept[0]


def nothing():
    return None


@pytest.mark.parametrize(("call", "peak"), [(nothing, 0), (one, MB), (one_after_another, MB), (three_at_once, 3 * MB)])
def test_known_allocations_are_seen_exactly(call, peak):
    assert CpuDevice().allocated_bytes(call) == peak


def test_every_change_is_in_order():
    assert allocation_changes(one_after_another) == [MB, -MB, MB, -MB, MB, -MB, MB]
