"""Our rows against every case of the conformance suite, in this process; ``gnbench check`` asks workers the same."""

import pytest

from bench.check.cases import cases
from bench.check.conform import conform

# Big cases take gigabytes and torch.compile takes seconds: the command runs those when asked.
CASES = [case for case in cases() if case.size == "ordinary" and case.act != "compile"]
BY_FIRST_LAW = {law: [one for one in CASES if one.laws[0] == law] for law in {case.laws[0]: None for case in CASES}}

ROWS = ("cpp", "triton")


def told(case, findings):
    return [f"{finding.law}: {case.name}: {finding.reason}" for finding in findings]


@pytest.mark.parametrize("law", BY_FIRST_LAW)
@pytest.mark.parametrize("name", ROWS)
def test_keeps_the_law(rows, name, law):
    row = rows[name]
    if (reason := row.unavailability()) is not None:
        pytest.skip(reason)
    asked, broken = 0, []
    for case in BY_FIRST_LAW[law]:
        try:
            outcome = conform(row, case)
        except Exception as error:
            broken.append(f"{case.name}: {error!r}")
            continue
        asked += bool(outcome.findings)
        broken += told(case, outcome.broken)
    if not asked:
        pytest.skip("none of its cases applies")
    assert not broken, "\n".join(broken)


def test_native_breaks_the_laws_that_it_is_known_to_break(rows):
    """E[x²] − E[x]² on channels_last: off by thousands of times the largest magnitude at mean 1e4, spread 1."""
    far = [case for case in BY_FIRST_LAW["hard"] if case.content == "mean 1e4" and case.dtype == "float32"]
    verdicts = {(case.layout, finding.law) for case in far for finding in conform(rows["native"], case).broken}
    assert ("channels_last", "hard") in verdicts
    assert ("contiguous", "hard") not in verdicts
    assert ("contiguous", "exact-hard") in verdicts
