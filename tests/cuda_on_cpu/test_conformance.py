"""Every law of ``gnbench check`` on the row ``cuda``: its own launcher, its kernels on the CPU."""

from itertools import cycle

import pytest
from conformed import row
from forward import DEVICES

from bench.check.cases import cases
from bench.check.conform import conform

ORDINARY = [case for case in cases() if case.size == "ordinary"]
# The brief cases and a third of the others, the ways in turn; all of them on all, 1,132, have been run by hand.
ON = list(
    zip([case for place, case in enumerate(ORDINARY) if case.brief or place % 3 == 0], cycle(DEVICES), strict=False)
)


@pytest.mark.parametrize("law", list(dict.fromkeys(case.laws[0] for case, _ in ON)))
def test_cuda_keeps(monkeypatch, law):
    broken = {
        (found.law, case.name, device, found.reason)
        for case, device in ON
        if case.laws[0] == law
        for found in conform(row(monkeypatch, device), case).broken
    }
    assert broken == set()
