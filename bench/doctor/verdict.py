"""What the noise comes to: which differences can be told here, now. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bench.doctor.findings import Finding, Level
from bench.doctor.noise import Noise
from bench.doctor.watch import Disturbance

_STEPS = (0.01, 0.02, 0.03, 0.05, 0.1)
"""The differences that a verdict names."""
_FLOORS = 2.0
"""A difference is told when two intervals part, each of them about as wide as the noise floor."""
_BUSY_CORES = 0.3
_WAITED = 0.02
_STOLEN = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One line on this machine."""

    level: Level
    sentence: str
    tells: float | None
    """The smallest relative difference to expect to tell; None where none is."""


def judge(noise: Noise, cores: int, of: int | None = None) -> Verdict:
    """Say which differences can be told.

    Parameters
    ----------
    noise
        What was measured, on one thread.
    cores
        How many cores a run would use.
    of
        How many cores the machine has, where others may be busy that no run uses.
    """
    floor = noise.floor
    tells = None if floor is None else next((step for step in _STEPS if _FLOORS * floor <= step), None)
    if tells is None:
        told = "unknown" if floor is None else f"{floor:.0%}"
        return Verdict(
            level=Level.PROBLEM, sentence=f"not usable now: the error of a ratio of equal work is {told}", tells=None
        )
    free = free_cores(noise.disturbance, cores, of)
    if free < cores:
        sentence = f"usable: expect to tell {tells:.0%} on one thread; other programs are busy, so "
        sentence += f"give --threads {free} at most" if free else "stop them first"
        return Verdict(level=Level.WARNING, sentence=sentence, tells=tells)
    if tells == _STEPS[0]:
        return Verdict(level=Level.OK, sentence="good for 1 % differences", tells=tells)
    return Verdict(level=Level.WARNING, sentence=f"usable: expect to tell {tells:.0%}", tells=tells)


def free_cores(disturbance: Disturbance, cores: int, of: int | None = None) -> int:
    """Say how many cores other programs leave alone, of those that a run would use; ``of`` so many that there are."""
    others = disturbance.others_cores or 0.0
    return cores if others < _BUSY_CORES else max(0, min(cores, (of or cores) - math.ceil(others)))


def judge_noise(noise: Noise) -> Iterator[Finding]:
    """Tell the noise, and what disturbed the measurement of it."""
    kinds = {"memory-bound": noise.memory, "arithmetic": noise.arithmetic}
    for kind, one in kinds.items():
        floor = "unknown" if one.floor is None else f"{one.floor:.2%}"
        what = f"equal {kind} work: ratio known to {floor}, batches {one.spread:.0%} apart"
        if one.floor is None or _FLOORS * one.floor > _STEPS[0]:
            why = "smaller differences between kernels drown in it"
            mend = "mend what is named here, and give runs more passes (--passes, --budget)"
            yield Finding(level=Level.WARNING, what=what, why=why, mend=mend)
        else:
            yield Finding(level=Level.OK, what=what)
    yield from _judge_others(noise.disturbance)
    yield from _judge_waiting(noise.disturbance)
    yield from _judge_stealing(noise.disturbance)
    yield from _judge_heat(noise.disturbance)


def _judge_others(found: Disturbance) -> Iterator[Finding]:
    if found.others_cores is None:
        return
    what = f"other programs used {found.others_cores:.1f} cores"
    if found.busiest:
        what += f", most of it {found.busiest}"
    if found.others_cores < _BUSY_CORES:
        yield Finding(level=Level.OK, what=what)
        return
    why = "threads of a kernel wait for the one whose core is taken, milliseconds a call"
    yield Finding(level=Level.WARNING, what=what, why=why, mend="stop them, or leave them cores with --threads")


def _judge_waiting(found: Disturbance) -> Iterator[Finding]:
    if found.waited is None:
        return
    often = "" if found.preemptions is None else f", and was taken off it {found.preemptions} times"
    what = f"this process waited {found.waited:.1%} of the time for a core{often}"
    if found.waited < _WAITED:
        yield Finding(level=Level.OK, what=what)
    else:
        why = "a batch that is interrupted is as long as the other program's time slice"
        yield Finding(level=Level.WARNING, what=what, why=why, mend="stop other programs, or allow more cores")


def _judge_stealing(found: Disturbance) -> Iterator[Finding]:
    if found.stolen is None:
        return
    what = f"the hypervisor took {found.stolen:.1%} of a core's time"
    if found.stolen < _STOLEN:
        yield Finding(level=Level.OK, what=what)
    else:
        why = "other guests of this host run on its cores"
        yield Finding(
            level=Level.WARNING, what=what, why=why, mend="measure at another time, or on a machine of your own"
        )


def _judge_heat(found: Disturbance) -> Iterator[Finding]:
    if found.throttlings is None:
        why = "a hot processor slows down unseen"
        mend = "watch the host's sensors where this is a guest"
        yield Finding(level=Level.NOTE, what="no core tells whether it was slowed by heat", why=why, mend=mend)
    elif found.throttlings:
        what = f"cores were slowed by heat {found.throttlings} times meanwhile"
        yield Finding(
            level=Level.WARNING, what=what, why="the clock falls as it runs", mend="let it cool, mend its cooling"
        )
    else:
        yield Finding(level=Level.OK, what="no core was slowed by heat meanwhile")
