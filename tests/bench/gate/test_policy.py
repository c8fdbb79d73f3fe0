"""gnbench.toml: what it says and what is wrong with it."""

from datetime import date

import pytest

from bench.errors import UsageError
from bench.gate.judge import Lines
from bench.gate.policy import Policy, parse, read

DAY = date(2026, 12, 31)
FULL = """
[gate]
alpha = 0.02
[gate.latency]
threshold = 0.1
[gate.extra_bytes]
growth = 0.5
[[gate.override]]
cells = "cpp N32-*"
threshold = 0.2
tolerance = 0.05
[[gate.override]]
cells = "* *bfloat16*"
metric = "error"
growth = 0.3
[[gate.allow]]
cells = "cpp *"
metric = "extra_*"
reason = "a table of coefficients"
until = 2026-12-31
"""


def test_an_empty_file_changes_nothing():
    assert parse("") == Policy()
    assert Policy().lines == Lines(threshold=0.05, tolerance=0.015, alpha=0.01)


def test_the_last_override_that_fits_a_cell_wins():
    policy = parse(FULL)
    assert policy.lines_of("cpp N2-C8") == Lines(threshold=0.1, alpha=0.02)
    assert policy.lines_of("cpp N32-C8") == Lines(threshold=0.2, tolerance=0.05, alpha=0.02)
    assert policy.growth_of("cpp N32-C8-float32", "extra_bytes") == 0.5
    assert policy.growth_of("cpp N32-C8-float32", "error") == 0.1
    assert policy.growth_of("cpp N32-C8-bfloat16", "error") == 0.3


def test_an_allowance_has_a_reason_and_an_end():
    policy = parse(FULL)
    assert policy.allowed("cpp N2", "extra_bytes", DAY) == "a table of coefficients (until 2026-12-31)"
    assert policy.allowed("cpp N2", "latency", DAY) is None
    assert policy.allowed("native N2", "extra_bytes", DAY) is None
    after = date(2027, 1, 1)
    assert policy.allowed("cpp N2", "extra_bytes", after) is None
    assert policy.expired(DAY) == ()
    assert policy.expired(after) == policy.allowances


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[gate", "--policy: gnbench.toml is not TOML"),
        ("gate = 1", "gnbench.toml: gate: is 1; make it a table"),
        ("[gate]\nalfa = 0.1", "gnbench.toml: gate.alfa: is an unknown key; did you mean 'alpha'?"),
        ('[gate]\nalpha = "1 %"', "gnbench.toml: gate.alpha: '1 %' is no number; write 5 % as 0.05"),
        ("[gate.latency]\nthreshold = 0.01", "gate.latency: tolerance = 0.015 is not from 0 to below the threshold"),
        ("[gate.latency]\ngrowth = 0.01", "gate.latency.growth: is an unknown key"),
        ("[gate.error]", "gate.error: growth is missing; add growth = 0.01"),
        ("[gate.error]\ngrowth = -1", r"gate.error.growth: -1.0 is below 0; write 5 % as 0.05"),
        ("[gate.override]\ncells = 'a'", r"gate.override: is one table; write \[\[gate.override\]\]"),
        ("[[gate.override]]\nthreshold = 0.1", r"gate.override\[0\].cells: is None; give a text in quotes"),
        ("[[gate.override]]\ncells='a'\nmetric='eror'\ngrowth=1", r"metric: 'eror' is unknown; did you mean 'error'"),
        ("[[gate.override]]\ncells='a'\nthreshold=0.01", r"gate.override\[0\]: tolerance = 0.015 is not from 0"),
        ("[[gate.allow]]\ncells='a'\nreason='b'", r"gate.allow\[0\].until: is None; give the last day, as 2026-12-31"),
        (
            "[[gate.allow]]\ncells='a'\nreason='b'\nuntil='2026-12-31'",
            r"allow\[0\].until: is '2026-12-31'; give the la",
        ),
        ("[[gate.allow]]\ncells='a'\nuntil=2026-12-31", r"gate.allow\[0\].reason: is None; give a text in quotes"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(text, told):
    with pytest.raises(UsageError, match=told):
        parse(text)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"--policy: .* cannot be read"):
        read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"--policy: .* is no UTF-8 text"):
        read(tmp_path / "bad.toml")
