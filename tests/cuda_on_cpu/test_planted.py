"""Each kind of fault, planted in a kernel that is right, is found where it is; the kernel as it was is silent.

That the unplanted kernels are silent is in ``test_machine.py``, for five orders each.
"""

import re

import cuda_on_cpu as cpu
import features
import pytest

RACES = [
    # A barrier of a block, of a cluster, of a grid, of a warp; and each half of a release and its acquire.
    (
        "everybody",
        "s_mine[0] = static_cast<float>(blockIdx.x + 1);\n  __syncthreads();",
        "s_mine[0] = static_cast<float>(blockIdx.x + 1);",
        "(race|uninitialized): .* static shared memory at byte ",
    ),
    (
        "everybody",
        "  __syncthreads();\n  if (threadIdx.x == 0) {\n    device::add",
        "  if (threadIdx.x == 0) {\n    device::add",
        "(race|uninitialized): .* slots at byte",
    ),
    (
        "everybody",
        "while (device::load_acquire(g_counter) < gridDim.x) device::pause();",
        "",
        "(race|uninitialized): .* slots at byte",
    ),
    (
        "everybody",
        "device::load_acquire(g_counter) < gridDim.x",
        "atomicAdd(g_counter, 0u) < gridDim.x",
        "race: .* slots at byte",
    ),
    ("everybody", "device::add_release(g_counter, 1u)", "atomicAdd(g_counter, 1u)", "race: .* slots at byte"),
    (
        "everybody",
        "device::load_acquire(g_counter) < gridDim.x",
        "*g_counter < gridDim.x",
        "race: .* (counter|slots) at byte",
    ),
    ("last", "__threadfence();\n  __syncthreads();", "__syncthreads();", "race: .* slots at byte"),
    ("last", "return;\n  __threadfence();", "return;", "race: .* slots at byte"),
    (
        "last",
        "s_before = atomicAdd(g_counter, 1u);\n  __syncthreads();",
        "s_before = atomicAdd(g_counter, 1u);",
        "(race|uninitialized): .* static shared memory at byte ",
    ),
    ("copies", "__syncwarp();", "", "(race|copy|uninitialized): .* static shared memory at byte"),
]
REST = [
    (
        "reverse",
        "s_pieces[threadIdx.x] =",
        "s_pieces[threadIdx.x + 1] =",
        "out of bounds: .* writes .* behind the end of dynamic shared memory",
    ),
    (
        "reverse",
        "g_in + first + threadIdx.x",
        "g_in + first + threadIdx.x + 1",
        "out of bounds: .* reads .* behind the end of x",
    ),
    (
        "reverse",
        "g_in + first + threadIdx.x",
        "g_in + first + threadIdx.x - 1",
        "out of bounds: .* reads .* bytes before x",
    ),
    ("reverse", "g_out + first + threadIdx.x,", "g_out + threadIdx.x,", "race: .* writes y at byte"),
    (
        "reverse",
        "device::load16(g_in + first + threadIdx.x)",
        "device::load16(reinterpret_cast<const int*>(g_in + first + threadIdx.x) + 1)",
        "misaligned: .* accesses 16 bytes at an address 4 past a multiple",
    ),
    (
        "reverse",
        "device::store16(g_out + first",
        "device::store16(const_cast<uint4*>(g_in) + first",
        "input: .* of x, which is only to be read",
    ),
    (
        "vote",
        "__ballot_sync(0xFFFFFFFFu, v & 1)",
        "thread < 40 ? __ballot_sync(0xFFFFFFFFu, v & 1) : 0u",
        "(deadlock|warp): ",
    ),
    ("vote", "g_in[thread];", "g_in[thread] + g_out[thread % 8];", "uninitialized: .* of y at byte"),
    (
        "vote",
        "__shfl_xor_sync(0xFFFFFFFFu, sum, other)",
        "__shfl_xor_sync(0xFFFFu, sum, other)",
        "warp: .* is not in the mask that it gives",
    ),
    (
        "gather",
        "  device::cluster_arrive();\n  device::cluster_wait();\n  if (threadIdx.x < size) {\n",
        "  if (threadIdx.x < size) {\n",
        "cluster: .* reaches into a block before the cluster's first barrier",
    ),
    (
        "gather",
        "  device::cluster_arrive();\n  device::cluster_wait();\n  if (threadIdx.x < size) g_out",
        "  if (threadIdx.x < size) g_out",
        "(race|uninitialized|ended): .* static shared memory",
    ),
    (
        "gather",
        "s_all[threadIdx.x].z",
        "s_all[threadIdx.x + 16].z",
        "undefined: index 1[678] out of bounds for type 'float4 \\[16\\]'",
    ),
    (
        "everybody",
        "if (threadIdx.x == 1) g_slots",
        "if (threadIdx.x == 1) __syncthreads(); else if (threadIdx.x == 3) return; else g_slots",
        "(race|deadlock|livelock|uninitialized): ",
    ),
    (
        "everybody",
        "i < gridDim.x; ++i) sum += g_slots[i]",
        "i < gridDim.x; ++i) sum += __ldg(g_slots + i)",
        "read-only: .* of slots by __ldg .*, which this launch writes",
    ),
    (
        "copies",
        "device::copy_wait(1 - batch)",
        "device::copy_wait(2 - batch)",
        "copy: .* where a copy of thread .* may still arrive",
    ),
    ("copies", "device::copy_commit();", "", "copy: .* where a copy of thread .* may still arrive"),
]


def faults(module, kernel):
    """Collect what five orders tell."""
    told = []
    for seed in range(5):
        try:
            features.result_and_truth(module, kernel, seed=seed)
        except cpu.FaultError as fault:
            told.append(str(fault))
    return told


@pytest.mark.parametrize(("kernel", "right", "wrong", "told"), RACES + REST)
def test_a_planted_fault_is_found_in_every_order(plant, kernel, right, wrong, told):
    source = plant(features.SOURCE, "features.cu", right, wrong)
    found = faults(cpu.build(source, [kernel]), kernel)
    assert len(found) == 5
    for line in found:
        assert re.match(told, line), line
        assert "features.cu:" in line or line.startswith(("warp", "cluster", "deadlock", "livelock"))


def test_the_address_sanitizer_finds_an_index_into_dynamic_shared_memory(plant):
    source = plant(features.SOURCE, "features.cu", "s_pieces[threadIdx.x] =", "s_pieces[threadIdx.x + 1] =")
    found = faults(cpu.build(source, ["reverse"], sanitizer="address"), "reverse")
    assert len(found) == 5
    assert all(re.match(r"AddressSanitizer: use-after-poison at features\.cu:\d+$", line) for line in found), found
