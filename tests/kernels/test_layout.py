import pytest
import torch

from kernels.layout import Strides, memory_format, strides


def test_both_layouts_where_they_lie():
    x = torch.empty(2, 6, 5, 7)
    assert strides(x) == Strides(n=210, c=35, p=1, positions=35)
    last = x.contiguous(memory_format=torch.channels_last)
    assert strides(last) == Strides(n=210, c=1, p=6, positions=35)
    volume = torch.empty(2, 6, 3, 5, 7).contiguous(memory_format=torch.channels_last_3d)
    assert memory_format(volume) is torch.channels_last_3d
    assert strides(volume).p == 6


def test_sizes_of_one_make_it_contiguous():
    assert (
        memory_format(torch.empty(2, 6, 1, 1).contiguous(memory_format=torch.channels_last)) is torch.contiguous_format
    )
    assert strides(torch.empty(2, 6)) == Strides(n=6, c=1, p=1, positions=1)


def test_a_slice_is_refused():
    with pytest.raises(ValueError, match="contiguous or channels_last memory is wanted"):
        strides(torch.empty(2, 6, 5, 7)[:, ::2])
