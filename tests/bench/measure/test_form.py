"""What an output must be before it is judged."""

import pytest
import torch

from bench.measure import form


class Lazy(torch.Tensor):
    pass


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (torch.ones(2, 3), None),
        (torch.nn.Parameter(torch.ones(2)), None),
        ((torch.ones(2), torch.ones(2)), None),
        (None, None),  # that it is no tensor, the judge says
        (torch.ones(2).as_subclass(Lazy), "returned Lazy, a subclass of torch.Tensor"),
        ((torch.ones(2), torch.ones(2).as_subclass(Lazy)), "returned Lazy, a subclass of torch.Tensor"),
        (torch.ones(2).to_sparse(), "layout torch.sparse_coo where torch.strided was expected"),
        (torch.ones(2, device="meta"), "on meta where cpu was expected"),
        (torch.ones(()).expand(2), "whose elements share memory"),
        (torch.ones(2)._neg_view(), "negated or conjugated when it is looked at"),
    ],
)
def test_only_plain_numbers_in_memory_pass(output, words):
    found = form.ill_formed(output, "cpu")
    assert found is None if words is None else words in found


def test_poison_reaches_every_element_and_a_copy_is_apart():
    y = torch.ones(2, 3).t()
    copy = form.copied(y)
    form.poison((y, None))
    assert y.isnan().all()
    assert torch.equal(copy[0], torch.ones(3, 2))
