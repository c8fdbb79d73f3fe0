"""Compiled for GPUs that are not there: registers, spills and shared memory, and what is launched."""

import struct
import sys

import pytest
import torch

from bench.plan.problem import Problem
from kernels.triton import backward_launch, elf, forward_launch, launch, machine
from kernels.triton.way import tile_arguments

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Triton's compiler is for Linux alone")


@needs_linux
@pytest.mark.parametrize(
    ("arch", "dtype", "cases"),
    # Each architecture, type and case; all of their products, 536 kernels, have been tried by hand.
    [
        ("sm_80", "bfloat16", ("whole", "small, packed", "split, few chunks")),
        ("sm_90", "float32", ("whole", "whole, backward's largest", "walk", "split")),
        ("sm_100", "float16", ("whole, channels_last", "split, channels_last")),
        ("sm_120", "bfloat16", ("whole, channels_last, backward's largest", "walk, channels_last")),
    ],
)
def test_no_kernel_spills_on(arch, dtype, cases):
    found = machine.inspect(arch, [dtype], cases)
    if arch == "sm_90":
        assert {name.split("/")[0] for name in found} == {
            *(f"forward.{kernel}" for kernel in ("whole", "walk", "statistics", "merge", "apply")),
            *(f"backward.{kernel}" for kernel in ("whole", "walk", "sums", "apply")),
            *(f"partials.{kernel}" for kernel in ("merge", "parameters")),
        }
    assert [name for name, taken in found.items() if taken.spill_bytes] == []
    for taken in found.values():
        assert 0 < taken.registers * taken.warps * 32 <= 65536
        assert taken.shared_bytes <= 48 * 1024


@needs_linux
def test_an_architecture_that_is_none_is_refused_in_one_line():
    with pytest.raises(machine.CompileError, match=r"^sm_1, float32: .+$"):
        machine.inspect("sm_1", ["float32"])


def cubin(attributes):
    """A small ELF file of one section beside its names."""
    names = b"\0.nv.info\0.names\0"
    header = b"\x7fELF\x02" + bytes(0x28 - 5) + struct.pack("<Q", 64 + len(names) + len(attributes))
    header += bytes(0x3A - 0x30) + struct.pack("<HHH", 40, 2, 1)
    section = "<IIQQQQ"
    table = struct.pack(section, 1, 0, 0, 0, 64 + len(names), len(attributes))
    table += struct.pack(section, 10, 0, 0, 0, 64, len(names))
    return header + names + attributes + table


def attribute(kind, value):
    return struct.pack("<BBHII", 4, kind, 8, 7, value)


def test_figures_are_read_from_the_elf_file():
    other = struct.pack("<BBH", 3, 0x1B, 255) + struct.pack("<BBHI", 4, 0x17, 4, 9)
    made = cubin(attribute(0x2F, 40) + other + attribute(0x11, 24) + attribute(0x2F, 32))
    assert elf.read(made) == elf.Taken(registers=40, local_bytes=24)


@pytest.mark.parametrize("bytes_", [b"", b"\x7fELF\x01", cubin(b"")])
def test_what_is_no_cubin_is_refused(bytes_):
    with pytest.raises(elf.NotACubin):
        elf.read(bytes_)


def launched(direction, shape, groups, **options):
    x = torch.empty(shape, device="meta", dtype=torch.bfloat16)
    way, made = machine.recording()
    if direction == "forward":
        launch.forward(x, groups, None, None, 1e-5, 0, way=way)
    else:
        statistics = torch.empty((shape[0], groups, 3), device="meta")
        launch.backward(x, x, statistics, groups, None, None, 0, True, *options["parameters"], way=way)
    return {one.kernel: one for one in made}


def test_as_few_launches_as_can_be():
    assert list(launched("forward", (2, 320, 64, 64), 32)) == ["walk"]
    assert list(launched("forward", (2, 320, 128, 128), 32)) == ["statistics", "apply"]
    assert list(launched("forward", (1, 128, 1024, 1024), 32)) == ["statistics", "merge", "apply"]
    assert list(launched("backward", (2, 1280, 8, 8), 32, parameters=(False, False))) == ["whole"]
    assert list(launched("backward", (2, 1280, 8, 8), 32, parameters=(True, False))) == ["whole", "parameters"]


def test_offsets_are_64_bits_wide_only_where_a_sample_needs_it():
    for positions, wide in ((2**14, False), (2**20, True)):
        made = launched("forward", (1, 2048, positions), 32).values()
        assert {one.constants["WIDE"] for one in made if "WIDE" in one.constants} == {wide}


def test_wide_offsets_change_no_bit(both, make, way, monkeypatch):
    x, weight, bias = make((1, 6, 5, 7))
    narrow = both(x, torch.ones_like(x), 3, weight, bias, activation=1, most=way)
    for module in (forward_launch, backward_launch):
        monkeypatch.setattr(module, "tile_arguments", lambda *given: tile_arguments(*given) | {"WIDE": True})
    assert all(map(torch.equal, narrow, both(x, torch.ones_like(x), 3, weight, bias, activation=1, most=way)))


@pytest.mark.parametrize(
    ("shape", "direction", "kernels"),
    [
        ((2, 64, 4, 4), "forward", ("whole",)),
        ((2, 64, 4, 4), "backward", ("whole", "parameters")),
        ((2, 320, 64, 64), "training_forward", ("walk",)),
        ((1, 128, 1024, 1024), "forward", ("statistics", "merge", "apply")),
        ((1, 128, 1024, 1024), "backward", ("sums", "merge", "apply", "parameters")),
    ],
)
def test_the_launches_of_a_call_follow_from_its_groups_size(shape, direction, kernels):
    N, C, H, W = shape
    problem = Problem(N=N, C=C, H=H, W=W, G=32, dtype="bfloat16", direction=direction, device="cuda")
    assert machine.launched(problem, "sm_90") == kernels
