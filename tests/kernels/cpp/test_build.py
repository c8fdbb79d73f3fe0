"""The C++ row: built once, refused in one line, and two revisions side by side."""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

import kernels
from kernels import cpp
from kernels.cpp import build


def test_the_second_build_is_none(monkeypatch):
    first = build.build(kernels.table.NAMESPACE)
    monkeypatch.setattr(build, "_run", pytest.fail)
    assert build.build(kernels.table.NAMESPACE) == first


def test_the_first_error_of_the_compiler_is_told(tmp_path):
    for name in ("operators.cpp", "autograd.cpp", *build.KERNELS):
        (tmp_path / name).write_text("int f() { return undeclared; }\n")
    with pytest.raises(build.BuildError, match=r"\.cpp:1:.*error.*undeclared"):
        build.build("broken", sources=tmp_path)


def test_no_compiler_is_said(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert cpp._unavailable() == "no C++ compiler: set CXX, or put g++ or clang++ on PATH"
    with pytest.raises(build.BuildError, match="no-such-compiler is not on PATH"):
        build.build("any")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_groups": 4}, "num_groups: 6 channels cannot be divided into 4 groups"),
        ({"num_groups": 0}, "num_groups: 6 channels cannot be divided into 0 groups"),
        ({"x": torch.ones(6)}, "x: (N, C, ...) is wanted, not 1 dimensions"),
        ({"x": torch.ones(2, 6, dtype=torch.int32)}, "x: float32, float16 or bfloat16 is wanted"),
        ({"weight": torch.ones(5)}, "weight: 6 values are wanted, one a channel, not 5"),
        ({"bias": torch.ones(12)[::2]}, "bias: contiguous values are wanted"),
        ({"bias": torch.ones(6).double()}, "bias: float32, float16 or bfloat16 is wanted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_argument_is_named_in_one_line(rows, change, message):
    given = {"x": torch.ones(2, 6, 3, 3), "num_groups": 3, "weight": torch.ones(6), "bias": torch.ones(6)} | change
    with pytest.raises(RuntimeError) as told:
        rows["cpp"].call(*given.values(), 1e-5)
    assert str(told.value) == message


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_the_number_of_threads_changes_no_bit(rows, make, layout):
    x, weight, bias = make((2, 32, 64, 65), layout=layout)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(rows["cpp"].call(x, 4, weight, bias, 1e-5, activation="silu"))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], result) for result in results)


@pytest.mark.parametrize("magnitude", [1e-30, 1.0, 20.0, 87.0, 90.0, 1e30])
def test_silu_over_all_magnitudes(rows, oracle, make, magnitude):
    x, weight, bias = make((1, 4, 16, 16))
    truth = oracle(x, 2, weight * magnitude, bias * magnitude, activation="silu")
    y = rows["cpp"].call(x, 2, weight * magnitude, bias * magnitude, 1e-5, activation="silu")
    assert (y - truth).abs().max() <= 4e-7 * truth.abs().max()


def test_two_revisions_live_in_one_process(rows, make, monkeypatch):
    """A package imported under a second name has its own table and its own operators."""
    init = Path(kernels.__file__)
    name = "kernels_of_another_revision"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(init.parent)])
    other = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    sys.modules[name] = other
    try:
        spec.loader.exec_module(other)
        row = importlib.import_module(f"{name}.discovery").load(["cpp"])["cpp"]
        x, weight, bias = make((2, 6, 5, 7))
        assert row.call is not rows["cpp"].call
        assert torch.equal(row.call(x, 3, weight, bias, 1e-5), rows["cpp"].call(x, 3, weight, bias, 1e-5))
        assert hasattr(getattr(torch.ops, name), "cpp_group_norm")
    finally:
        for added in set(sys.modules) - before:
            if added.startswith(name):
                del sys.modules[added]
