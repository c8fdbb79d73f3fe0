"""A gate's frame and facts as the reports get them, with one row of each kind."""

import pandas as pd

from reports.gate_schema import VerdictRow
from reports.intake import check
from reports.schema import columns, to_record

INFO = {
    "outcome": "regression",
    "base": "main (0123456789ab)",
    "head": "fedcba987654",
    "is_dirty": False,
    "threshold": 0.05,
    "tolerance": 0.015,
    "alpha": 0.01,
    "suite": None,
    "control": {"centre": 1.0, "low": 0.99, "high": 1.01},
    "passes": 12,
    "seconds": 41.2,
    "wanted_s": None,
    "folder": "runs/gate",
    "warnings": [],
}


def row(verdict, **given):
    named = {"implementation": "cpp", "problem": "2×320×64×64 G=32 float32", "metric": "latency", "unit": "s"}
    return VerdictRow(**(named | {"verdict": verdict} | given))


def timed(verdict, change, **given):
    figures = {"base": 1e-5, "head": change * 1e-5, "change": change, "passes": 9}
    return row(verdict, **(figures | {"change_low": change - 0.01, "change_high": change + 0.01} | given))


ROWS = [
    timed("unchanged", 1.001, implementation="native"),
    timed("undecided", 1.03, passes_wanted=7, problem="undecided"),
    timed("regressed", 1.08, place="kernels/cpp/__init__.py"),
    timed("regressed", 1.2, place="kernels/cpp/__init__.py", allowed="known (until 2026-12-31)", problem="allowed"),
    row("regressed", metric="extra_bytes", unit="B", base=0.0, head=4096.0, problem="from nothing"),
    row("broken", implementation="triton", reason="head is incorrect: off", problem="broken"),
    row("new", implementation="added", reason="base has no such row"),
]


def frame(rows=ROWS):
    return check(pd.DataFrame([to_record(one) for one in rows], columns=list(columns(VerdictRow))), VerdictRow)
