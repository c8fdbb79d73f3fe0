"""The switch by which the interpreter reads and rounds bfloat16 as a GPU does."""

import numpy as np
import pytest
import torch

from kernels.triton import launch, way


@pytest.fixture
def values():
    """Ties to even and odd, what rounds up to the next power of two or to infinity, subnormals, and no numbers."""
    bits = [0x3F808000, 0x3F818000, 0x3F80FFFF, 0x3FFFFFFF, 0x7F7FFFFF, 0x00018000, 0x00000001, 0x7F800000, 0xFF800000]
    drawn = torch.randint(0, 2**32, (4000,), generator=torch.Generator().manual_seed(1)).numpy().astype(np.uint32)
    known = torch.from_numpy(np.concatenate([np.array(bits, np.uint32), drawn]).view(np.float32))
    return known[~known.isnan()]


def rounded(values, *, switch):
    """Store float32 ``values`` as bfloat16 by the kernel that sums up dbias: of one line, the sum is the value."""
    made = torch.empty(len(values), dtype=torch.bfloat16)
    with np.errstate(all="ignore"):
        way.kernels().partials.parameters[(1,)](
            torch.stack([values, values]),
            made,
            made,
            1,
            len(values),
            LINES=1,
            CHANNELS=8192,
            NEED_DWEIGHT=False,
            NEED_DBIAS=True,
            INTERPRETED=switch,
        )
    return made


def test_with_it_a_value_is_the_nearest_bfloat16(values):
    found, expected = rounded(values, switch=True), values.to(torch.bfloat16)
    assert torch.equal(found.view(torch.int16), expected.view(torch.int16))


def test_without_it_the_interpreter_cuts_bits_off(values):
    """Should this fail, Triton's interpreter rounds by itself and the switch can go."""
    normal = values.abs() >= torch.finfo(torch.float32).tiny
    cut = (values.view(torch.int32) >> 16).to(torch.int16)
    found = rounded(values, switch=False).view(torch.int16)
    assert torch.equal(found[normal], cut[normal])
    assert not torch.equal(found[~normal], cut[~normal])  # and garbles subnormals, as 0x00018000 into 0x0040


def test_subnormals_are_read_and_written():
    bits = torch.tensor([0x0001, 0x0042, 0x0100, 0x7F], dtype=torch.int16)
    x = bits.view(torch.bfloat16).reshape(1, 1, 4)
    y = launch.forward(x, 1, None, None, 1e-38, 0).double()
    centered = x.double() - x.double().mean()
    expected = centered / (centered.square().mean() + 1e-38).sqrt()
    assert (y - expected).abs().max() <= 2.0**-8 * expected.abs().max()
    x = torch.tensor([1.0, 2.0, 3.0, 5.0]).reshape(1, 1, 4)
    small = torch.tensor([2.0**-130])
    for dtype in (torch.float32, torch.bfloat16):
        y = launch.forward(x.to(dtype), 1, small, None, 1e-5, 0)
        expected = launch.forward(x, 1, None, None, 1e-5, 0) * small
        assert torch.equal(y, expected.to(dtype))


def test_a_nan_stays_one():
    assert rounded(torch.tensor([float("nan")]), switch=True).isnan().all()
