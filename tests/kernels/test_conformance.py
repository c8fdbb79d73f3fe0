"""Our rows against every case of the conformance suite, in this process; ``gnbench check`` asks workers the same."""

from bench.check.cases import cases

# Big cases take gigabytes and torch.compile takes seconds: the command runs those when asked.
CASES = [case for case in cases() if case.size == "ordinary" and case.act != "compile"]
BY_FIRST_LAW = {law: [one for one in CASES if one.laws[0] == law] for law in {case.laws[0]: None for case in CASES}}

ROWS = ("cpp", "triton")
