"""The machine gives what CUDA gives: blocks, warps, clusters, cooperative grids, copies, in whatever order."""

import ctypes

import cuda_on_cpu as cpu
import features
import pytest
import torch


@pytest.fixture(scope="module")
def module(sanitizer):
    return cpu.build(features.SOURCE, features.KERNELS, sanitizer=sanitizer)


@pytest.mark.parametrize("kernel", features.KERNELS)
def test_a_right_kernel_is_right_and_silent_in_every_order(module, kernel):
    for seed in range(5):
        result, truth = features.result_and_truth(module, kernel, seed=seed)
        assert torch.equal(result, truth)


@pytest.mark.parametrize("kernel", features.KERNELS)
def test_the_other_build_gives_the_same(sanitizer, kernel):
    other = "watch" if sanitizer == "address" else "address"
    result, truth = features.result_and_truth(cpu.build(features.SOURCE, features.KERNELS, sanitizer=other), kernel)
    assert torch.equal(result, truth)


def test_blocks_that_wait_for_each_other_must_be_launched_together(module):
    with pytest.raises(
        cpu.FaultError, match=r"^livelock: nobody can go on; thread .* looks again and again, thread .* waits"
    ):
        features.result_and_truth(module, "everybody", cooperative=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), r"^description: reverse takes 2 arguments, not 0$"),
        ((ctypes.c_int(1), None), r"^description: argument 0 of reverse has 8 bytes, not 4$"),
    ],
)
def test_arguments_that_do_not_fit_are_told(module, arguments, told):
    with pytest.raises(cpu.FaultError, match=told):
        module.run([cpu.Launch(kernel="reverse", arguments=arguments)])


def test_an_unknown_kernel_is_told(module):
    with pytest.raises(cpu.FaultError, match=r"^description: no kernel forward$"):
        module.run([cpu.Launch(kernel="forward", arguments=())])


def test_what_does_not_compile_is_told(plant):
    source = plant(features.SOURCE, "features.cu", "float sum = 0.0f;\n  for (unsigned i = 0; i < gridDim.x; ++i)", "")
    with pytest.raises(cpu.BuildError, match=r"features\.cu:\d+.* error: "):
        cpu.build(source, features.KERNELS)


def test_an_atomic_whose_order_would_show_does_not_compile(plant):
    source = plant(features.SOURCE, "features.cu", "g_slots[blockIdx.x] = s_mine[0]", "atomicAdd(g_slots, s_mine[0])")
    with pytest.raises(cpu.BuildError, match="an atomic's order would decide a floating-point result"):
        cpu.build(source, features.KERNELS)


def test_two_launches_of_one_run_follow_each_other(module):
    x, y, z = (
        torch.arange(160, dtype=torch.int32),
        torch.empty(160, dtype=torch.int32),
        torch.empty(160, dtype=torch.int32),
    )
    middle = cpu.writes(y, "y")
    module.run(
        [
            cpu.Launch(kernel="reverse", arguments=(cpu.reads(x, "x"), middle), block=40, shared_bytes=640),
            cpu.Launch(kernel="reverse", arguments=(middle, cpu.writes(z, "z")), block=40, shared_bytes=640),
        ]
    )
    assert torch.equal(z, x)


def test_a_device_variable_is_refused(plant):
    source = plant(
        features.SOURCE, "features.cu", "extern __shared__ uint4", "__device__ int total = 0;\nextern __shared__ uint4"
    )
    with pytest.raises(
        cpu.BuildError, match=r"^features\.cu: error: a __device__ variable .*: __device__ int total = 0;$"
    ):
        cpu.build(source, features.KERNELS)


def test_memory_given_back_and_taken_again_is_watched_anew(module):
    """Blocks one after another have their shared memory at one address; the map once looked at the block before."""
    x = torch.arange(50 * 160, dtype=torch.int32)
    y = torch.empty_like(x)
    launch = cpu.Launch(
        kernel="reverse", arguments=(cpu.reads(x, "x"), cpu.writes(y, "y")), grid=50, block=40, shared_bytes=640
    )
    module.run([launch, launch])
    assert torch.equal(y.view(50, 40, 4), x.view(50, 40, 4).flip(1))
