"""Each law catches a kernel that breaks it, and a right one passes; all in this process."""

from pathlib import Path

import pytest

import kernels.table
from bench.check.cases import cases
from bench.check.conform import conform
from bench.check.laws import LAWS
from kernels import discovery

ORDINARY = [case for case in cases() if case.size == "ordinary" and case.act != "compile"]
BREAKS = {
    "square-of-the-mean": "hard",
    "contiguous-back": "layout",
    "poisons-neighbours": "non-finite",
    "adds-its-own-eps": "right",
    "returns-x": "conduct",
    "by-threads": "deterministic",
    "wrong-dweight": "gradients",
    "wrong-alone": "wanted",
    "counts-too-few": "large",
    "forgets-silu": "activations",
    "wrong-type": "form",
}


@pytest.fixture(scope="module")
def table():
    """Load the rows, and leave the table of later tests without them."""
    plugin = Path(__file__).with_name("broken.py")
    yield discovery.load(["native", *BREAKS, "right", "needs-a-sample"], [plugin])
    for name in [name for name, row in kernels.table._rows.items() if plugin.name in row.place]:
        del kernels.table._rows[name]


def of_law(law):
    found = [case for case in ORDINARY if law in case.laws]
    return found or [case for case in ORDINARY if case.laws[0] == "right"]


@pytest.mark.parametrize(("name", "law"), BREAKS.items())
def test_a_law_catches_who_breaks_it(table, name, law):
    assert any(finding.law == law for case in of_law(law) for finding in conform(table[name], case).broken)


def test_a_right_kernel_breaks_no_required_law(table):
    broken = {
        (finding.law, case.name, finding.reason)
        for case in ORDINARY
        # Autograd through a reshape gives a contiguous dX, whatever x was.
        if case.direction == "forward" and case.laws[0] in {"right", "shapes", "hard", "non-finite", "empty"}
        for finding in conform(table["right"], case).broken
        if LAWS[finding.law].level == "required"
    }
    assert broken == set()


def test_what_a_kernel_raises_goes_through(table):
    (case,) = [one for one in ORDINARY if one.laws == ("empty",) and one.shape == (0, 8) and one.direction == "forward"]
    with pytest.raises(IndexError):
        conform(table["needs-a-sample"], case)


def test_what_does_not_apply_says_why(table):
    case = next(one for one in ORDINARY if one.direction == "backward")
    assert conform(table["contiguous-back"], case).not_applicable
    case = next(one for one in ORDINARY if one.activation == "silu" and one.direction == "forward")
    assert conform(table["contiguous-back"], case).not_applicable
