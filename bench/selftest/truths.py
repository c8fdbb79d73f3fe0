"""The known answers, declared once: the plugin files compute by them, the driver judges by them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.plan.sweep import Axes


@dataclass(frozen=True, kw_only=True, slots=True)
class Units:
    """A row that calls torch's own GroupNorm ``units`` times over: the same memory and arithmetic each time."""

    name: str
    units: int


REFERENCE = Units(name="units-100", units=100)
PAIRS = (
    Units(name="units-100-again", units=100),
    Units(name="units-102", units=102),
    Units(name="units-105", units=105),
    Units(name="units-110", units=110),
)
"""Their times over the reference's are 1.00, 1.02, 1.05 and 1.10: one hundredth a unit, whatever a unit takes."""

UNITS_PROBLEM = Axes(N=(2,), C=(64,), H=(64,), W=(64,), G=("32",))
"""2 MiB in and 2 MiB out: more than the second-level cache of a core (1 to 2 MiB), so a unit is bound by memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """A row that gives the right output, then spins until ``seconds`` have passed since it was called."""

    name: str
    seconds: float


WAITS = (Wait(name="waits-100us", seconds=1e-4), Wait(name="waits-1ms", seconds=1e-3))


@dataclass(frozen=True, kw_only=True, slots=True)
class Taking:
    """A row that holds ``extra_bytes`` more than inputs and output at its worst moment."""

    name: str
    extra_bytes: int


TAKINGS = (Taking(name="takes-8mib", extra_bytes=8 << 20), Taking(name="takes-64kib", extra_bytes=64 << 10))


@dataclass(frozen=True, kw_only=True, slots=True)
class Off:
    """A row that is off by ``ulp`` units in the last place at the largest value, and rounded right elsewhere."""

    name: str
    ulp: int
    status: str
    """Two ULP are within every tolerance, a thousand are within none."""


OFFS = (Off(name="off-by-2-ulp", ulp=2, status="ok"), Off(name="off-by-1000-ulp", ulp=1000, status="incorrect"))

SMALL_PROBLEM = Axes(N=(1,), C=(16,), H=(16,), W=(16,), G=("4",))
"""16 KiB: GroupNorm takes a few microseconds of it, which a wait of 100 µs hides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Liar:
    """A row that is not what it seems, how, and the statuses that mean it was caught."""

    name: str
    lie: str
    caught: tuple[str, ...]


LIARS = (
    Liar(name="does-nothing", lie="returns zeros", caught=("incorrect",)),
    Liar(name="hands-back", lie="returns its own input", caught=("incorrect",)),
    Liar(name="errs-when-timed", lie="right when checked, then off by 1e-3", caught=("inconsistent",)),
    Liar(name="scribbles", lie="changes its input once it is timed", caught=("inconsistent",)),
    Liar(name="zeroes-its-input", lie="zeroes its input once it is timed", caught=("inconsistent",)),
    Liar(name="replays-by-pointer", lie="keeps its answer for each input's address", caught=("inconsistent",)),
    Liar(name="replays-by-content", lie="looks its answer up by the input's values", caught=("inconsistent",)),
    Liar(name="serves-a-stale-graph", lie="computes on what its first call was given", caught=("inconsistent",)),
    Liar(name="answers-late", lie="returns at once and lets a thread work", caught=("inconsistent",)),
    Liar(name="returns-a-promise", lie="returns a subclass that computes when looked at", caught=("incorrect",)),
    Liar(name="slows-the-clock", lie="makes the clock run at half its pace", caught=("inconsistent",)),
    Liar(
        name="recycles-memory", lie="returns memory with another's answer in it", caught=("incorrect", "inconsistent")
    ),
    Liar(name="compiles-when-timed", lie="runs another program while it is timed", caught=("unsteady",)),
    Liar(name="retypes-everything", lie="sets torch's default dtype", caught=("inconsistent",)),
)
"""One row here and one function of the same name in ``liars`` add a liar."""
