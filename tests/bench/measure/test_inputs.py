import random

import pytest
import torch

from bench.measure.inputs import bits_equal, make_inputs
from bench.plan.problem import Problem

PROBLEM = Problem(N=2, C=6, H=5, W=4, G=3, dtype="bfloat16", weight_dtype="float32", direction="backward")


def test_a_seed_decides_every_bit():
    assert make_inputs(PROBLEM, 7).equal(make_inputs(PROBLEM, 7))
    assert not make_inputs(PROBLEM, 7).equal(make_inputs(PROBLEM, 8))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_types_shapes_and_layout_are_the_problems(layout):
    inputs = make_inputs(Problem(N=2, C=6, H=5, W=4, G=3, dtype="float16", weight_dtype="float32", layout=layout), 0)
    format_ = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    assert inputs.x.shape == (2, 6, 5, 4)
    assert inputs.x.is_contiguous(memory_format=format_)
    assert (inputs.x.dtype, inputs.weight.dtype, inputs.dy) == (torch.float16, torch.float32, None)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_a_copy_lies_elsewhere_at_a_cache_line_and_keeps_bits_and_strides(layout):
    inputs = make_inputs(Problem(N=2, C=32, H=8, W=8, G=4, layout=layout), 0)
    copies = [inputs.copy(random.Random(seed)) for seed in range(20)]
    assert all(copy.equal(inputs) and copy.x.stride() == inputs.x.stride() for copy in copies)
    offsets = {copy.x.storage_offset() * 4 for copy in copies}
    assert len(offsets) > 5
    assert all(offset % 64 == 0 and offset < 4096 for offset in offsets)


def test_restoring_mends_one_changed_bit():
    given, pristine = make_inputs(PROBLEM, 0), make_inputs(PROBLEM, 0)
    given.dy[0, 0, 0, 0] += 1
    assert not given.equal(pristine)
    given.restore(pristine)
    assert given.equal(pristine)


def test_bits_tell_what_values_do_not():
    assert bits_equal(torch.tensor([torch.nan]), torch.tensor([torch.nan]))
    assert not bits_equal(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not bits_equal(torch.zeros(2), torch.zeros(2, dtype=torch.float64))
