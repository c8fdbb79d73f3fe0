"""The whole way of a self-test: three ordinary runs of kernels with known answers, and what they came to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.events import Listener
from bench.plan.config import Settings
from bench.plan.sweep import Axes, Sweep
from bench.run import run
from bench.selftest import truths
from bench.selftest.checks import Check, by_name, known_checks, liar_checks, ratio_checks

DOCUMENT = "selftest.json"
FULL_S = 170.0
QUICK_S = 30.0
_LEAST_S = 20.0
"""Two launches of ratios, and the other two runs."""

_HERE = Path(__file__).parent
_OTHER_RUNS_S = 13.0
_PASS_S = 1.3
"""What a pass over the ratios is planned with, ten rounds each. Some three of four are made before the time is spent,
for checks, warm-up and zygotes take theirs."""
_MEASURING_SHARE = 0.6
_NEVER_NARROW_PERCENT = 1e-6
"""A precision that no interval reaches: every pass is wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfTest:
    """What a self-test found."""

    form: str
    """``full`` or ``quick``."""
    seconds: float
    """What it was to take, s."""
    passes: int
    """Passes over the ratios."""
    checks: tuple[Check, ...]

    @property
    def is_true(self) -> bool:
        """Say whether every goal was met; a short form leaves open what it has too few passes to judge."""
        is_short = self.form == "quick" or self.seconds < FULL_S
        return all(check.met or (check.met is None and is_short) for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"is_true": self.is_true, **asdict(self)}


def selftest(
    *,
    quick: bool = False,
    seconds: float | None = None,
    out: Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    listener: Listener | None = None,
) -> SelfTest:
    """Measure kernels whose answers are known, on the CPU, and hold the figures against them.

    Parameters
    ----------
    quick
        Half a minute: bias and liars, and a first look at coverage, which it does not judge.
    seconds
        About what the whole may take; 170 by default, 30 if quick.
    out
        A new folder that keeps the three run directories and ``selftest.json``; nothing is kept without it.
    threads
        As a run's; by default every core, but one if quick: beside another program each call of several threads
        waits for it, and half a minute would become five.

    Raises
    ------
    UsageError
        ``seconds`` is too few, or ``out`` holds something or cannot be made.
    """
    seconds = (QUICK_S if quick else FULL_S) if seconds is None else seconds
    if seconds < _LEAST_S:
        raise UsageError("--budget", f"{seconds:g} s is too short for a self-test", f"give at least {_LEAST_S:g}")
    told = listener or Listener()
    common = Settings(threads=1 if quick and threads is None else threads, seed=seed)
    with _folder(out) as folder:
        ratios = run(*_ratios(common, seconds - _OTHER_RUNS_S), out=folder / "ratios", listener=told)
        known = run(*_known(common), out=folder / "known", listener=told)
        liars = run(*_liars(common), out=folder / "liars", listener=told)
        found = SelfTest(
            form="quick" if quick else "full",
            seconds=seconds,
            passes=int(ratios.samples["pass"].nunique()),
            checks=(
                *known_checks(by_name(known.results)),
                *ratio_checks(ratios.results, ratios.samples, ratios.directory.info()["cost"], seed),
                *liar_checks(by_name(liars.results)),
            ),
        )
        (folder / DOCUMENT).write_text(json.dumps(found.to_dict(), allow_nan=False, indent=2) + "\n", encoding="utf-8")
    return found


def _ratios(common: Settings, seconds: float) -> tuple[Sweep, Settings]:
    names = (truths.REFERENCE, *truths.PAIRS)
    settings = replace(
        common,
        reference=truths.REFERENCE.name,
        impl=tuple(one.name for one in names),
        passes=max(6, round(seconds / _PASS_S / 3) * 3),
        budget_s=_MEASURING_SHARE * seconds,
        precision_percent=_NEVER_NARROW_PERCENT,
        plugins=(str(_HERE / "known.py"),),
    )
    return _sweep(truths.UNITS_PROBLEM), settings


def _known(common: Settings) -> tuple[Sweep, Settings]:
    names = tuple(one.name for one in (*truths.WAITS, *truths.TAKINGS, *truths.OFFS))
    plugins = (str(_HERE / "known.py"),)
    return _sweep(truths.SMALL_PROBLEM), replace(common, impl=names, passes=6, budget_s=2.0, plugins=plugins)


def _liars(common: Settings) -> tuple[Sweep, Settings]:
    """One visit is enough: what a liar does does not hang on the launch."""
    names = tuple(liar.name for liar in truths.LIARS)
    plugins = (str(_HERE / "liars.py"),)
    return _sweep(truths.SMALL_PROBLEM), replace(common, impl=names, passes=1, budget_s=1.0, plugins=plugins)


def _sweep(axes: Axes) -> Sweep:
    return Sweep(entries=(axes,))


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="gnbench-selftest-") as name:
            yield Path(name)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("--out", f"{out} is there already and not empty", "name a new folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("--out", f"cannot make {out} ({error.strerror})", "name another folder") from None
    yield out
