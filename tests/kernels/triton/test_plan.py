"""Launch decisions: laws over many shapes, and the regimes of known models."""

import itertools

import pytest

from kernels.triton.plan import (
    MERGED_BY_ALL,
    SECTOR,
    Choice,
    Shape,
    choices,
    limits,
    plan,
    power_of_two,
    sample_blocks,
)

SHAPES = [
    Shape(groups=groups, channels=channels, positions=positions, channels_last=last or positions == 1, itemsize=size)
    for groups, channels, positions, last, size in itertools.product(
        (1, 3, 32), (1, 2, 10, 64, 5000), (1, 49, 64, 4096, 72 * 128, 2**20 + 1), (False, True), (2, 4)
    )
]


def shape(C, G, positions, itemsize, *, channels_last=False):
    return Shape(groups=G, channels=C // G, positions=positions, channels_last=channels_last, itemsize=itemsize)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_element_is_in_one_tile_and_no_tile_is_larger_than_allowed(direction):
    for one in SHAPES:
        most = limits(direction, one.itemsize, interpreted=False)
        for choice in choices(one, most):
            by = plan(one, most, choice)
            if by.whole is not None:
                assert by.whole.lanes <= max(most.whole, most.pack)
                assert by.whole.channels >= one.channels
                assert by.whole.positions >= one.positions
                continue
            for part in (by.walk, by.sums, by.apply):
                if part is None:
                    continue
                assert part.tile.lanes <= most.chunk << max(0, choice.chunk)
                assert (part.across - 1) * part.tile.channels < one.channels <= part.across * part.tile.channels
                span = part.tiles * part.tile.positions
                assert (part.along - 1) * span < one.positions <= part.along * span
                assert part.tile.groups == 1 or part.across == 1
            assert (by.walk is None) == (by.sums is not None) == (by.apply is not None)


def test_a_merge_reads_no_more_than_about_a_thousand_slots():
    for one in SHAPES:
        by = plan(one, limits("forward", one.itemsize, interpreted=False))
        assert by.sums is None or by.sums.along <= 1024


def test_channels_last_reads_whole_sectors():
    for one in SHAPES:
        if not one.channels_last or one.positions == 1 or one.groups % 32 or one.channels > 64:  # 128 bytes and more
            continue
        by = plan(one, limits("forward", one.itemsize, interpreted=False))
        tile = by.whole or (by.walk or by.sums).tile
        assert tile.groups * min(tile.channels, one.channels) * one.itemsize % SECTOR == 0


@pytest.mark.parametrize(
    ("one", "forward", "backward"),
    [
        (shape(320, 32, 64 * 64, 2), "walk", "split"),  # SD 1.5's UNet
        (shape(1280, 32, 8 * 8, 2), "whole", "whole"),
        (shape(320, 32, 128 * 128, 2), "split", "split"),  # SDXL's
        (shape(2048, 32, 1, 2), "whole", "whole"),  # RWKV-7
        (shape(128, 32, 1024 * 1024, 2), "split", "split"),  # FLUX's VAE
        (shape(256, 32, 56 * 56, 4), "walk", "split"),  # a ResNet
    ],
    ids=str,
)
def test_models_take_their_ways(one, forward, backward):
    for direction, expected in (("forward", forward), ("backward", backward)):
        by = plan(one, limits(direction, one.itemsize, interpreted=False))
        assert ("whole" if by.whole else "walk" if by.walk else "split") == expected


def test_a_mid_sized_group_is_merged_without_a_launch_of_its_own():
    by = plan(shape(320, 32, 128 * 128, 2), limits("forward", 2, interpreted=False))
    assert by.sums.count <= MERGED_BY_ALL


def test_choices_begin_with_the_default_and_none_is_there_twice():
    for one in SHAPES:
        most = limits("forward", one.itemsize, interpreted=False)
        found = choices(one, most)
        assert found[0] == Choice()
        assert len({plan(one, most, choice) for choice in found}) == len(found) <= 6


def test_samples_are_split_among_at_most_so_many_programs():
    tile = plan(shape(2048, 32, 1, 2), limits("backward", 2, interpreted=False)).whole
    blocks = sample_blocks(4096, tile, group_blocks=1)
    assert blocks == 1024
    assert sample_blocks(1, tile, group_blocks=1) == 1
    assert sample_blocks(4096, tile, group_blocks=4096) == 1


def test_power_of_two():
    assert [power_of_two(number) for number in (0, 1, 2, 3, 4, 5)] == [1, 1, 2, 4, 4, 8]
