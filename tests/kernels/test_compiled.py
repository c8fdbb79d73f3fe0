"""``compiled`` means compiled, for however many problems one process meets."""

import psutil
import pytest
import torch
from torch._dynamo.exc import FailOnRecompileLimitHit
from torch._dynamo.testing import CompileCounter

from kernels import compiled


def test_each_of_twelve_problems_is_compiled(make):
    """Of one code object dynamo would have compiled 8 and then run the textbook's form instead."""
    counter = CompileCounter()
    for height in range(2, 14):
        x, weight, bias = make((1, 4, height, 3))
        compiled.compile_anew(counter)(x, 2, weight, bias, 1e-5)
    assert counter.frame_count == 12


def test_the_limit_of_recompilations_is_an_error(make):
    counter = CompileCounter()
    function = compiled.compile_anew(counter)
    limit = torch._dynamo.config.recompile_limit
    for height in range(1, limit + 1):
        function(make((1, 4, height, 3))[0], 2, None, None, 1e-5)
    with pytest.raises(FailOnRecompileLimitHit):
        function(make((1, 4, limit + 1, 3))[0], 2, None, None, 1e-5)
    assert counter.frame_count == limit


def test_a_problem_is_compiled_once_and_leaves_no_process(make):
    before = compiled._for_problem.cache_info().misses
    children = psutil.Process().children(recursive=True)
    x, weight, bias = make((2, 6, 5, 7))
    for _ in range(2):
        compiled.group_norm(x, 3, weight, bias, 1e-5, activation="silu")
    assert compiled._for_problem.cache_info().misses <= before + 1
    assert psutil.Process().children(recursive=True) == children


def test_no_compiler_is_said(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no-such-compiler is not on PATH" in compiled._unavailable()
