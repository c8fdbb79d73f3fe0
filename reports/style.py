"""Colour and marker of an implementation: by its name, for ever, in every picture and every run.

The repository's own rows have fixed slots. A plugin gets the first free one, which ``bench`` remembers in
``run.json``, so that a later comparison draws it alike. The ninth and later are grey, told apart by their marker.

A slot has one colour for white paper and one for a dark screen. Each is at least 3:1 against its ground (WCAG
1.4.11), and any two of a ground are at least 12 apart in CIELAB for normal sight and under simulated protanopia,
deuteranopia and tritanopia; ``tests/reports/test_style.py`` computes both. Okabe and Ito's palette, from which these
were moved, has three colours below 3:1 on white and its black is invisible on the dark ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LIGHT_GROUND = "#ffffff"
DARK_GROUND = "#121212"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tint:
    """One colour in its two variants."""

    name: str
    """Its CSS custom property, without the dashes."""
    light: str
    dark: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How an implementation is drawn."""

    tint: Tint
    marker: str
    """matplotlib's name of the marker."""
    sign: str
    """The same marker as a character, for legends in text."""


SLOTS = (
    Tint(name="slot0", light="#0072b2", dark="#4d93d1"),
    Tint(name="slot1", light="#5b380e", dark="#b08050"),
    Tint(name="slot2", light="#b77c02", dark="#e8a416"),
    Tint(name="slot3", light="#009e73", dark="#2fd0a0"),
    Tint(name="slot4", light="#3e6900", dark="#b7e152"),
    Tint(name="slot5", light="#d04530", dark="#e96830"),
    Tint(name="slot6", light="#bf4a8e", dark="#e08dbf"),
    Tint(name="slot7", light="#4b1f83", dark="#9d86f9"),
)
GREY = Tint(name="slot-grey", light="#76767a", dark="#a0a0a4")

GROUND = Tint(name="ground", light=LIGHT_GROUND, dark=DARK_GROUND)
INK = Tint(name="ink", light="#1b1b1f", dark="#ececf0")
QUIET = Tint(name="quiet", light="#5c5c62", dark="#b2b2b8")
GRID = Tint(name="grid", light="#dcdce0", dark="#38383c")
COPY_LINE = Tint(name="copy", light="#69696f", dark="#9b9ba1")

STEPS = {
    -2: Tint(name="step-2", light="#f3b4a2", dark="#7c2f1d"),
    -1: Tint(name="step-1", light="#fbe1d8", dark="#4c2c24"),
    0: Tint(name="step0", light="#efeff1", dark="#2a2a2d"),
    1: Tint(name="step1", light="#d6e9f6", dark="#1d3a50"),
    2: Tint(name="step2", light="#9fcdec", dark="#1b5883"),
}
"""Grounds of the speed-up map's cells, from much slower to much faster; ink is at least 4.5:1 on each."""

TINTS = (*SLOTS, GREY, GROUND, INK, QUIET, GRID, COPY_LINE, *STEPS.values())

_FIXED = {"native": 0, "naive": 1, "compiled": 2, "triton": 3, "cuda": 4, "cpp": 5}
_MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"), ("D", "◆"), ("v", "▼"), ("P", "✚"), ("X", "✖"), ("p", "⬟"))


def assign(names: Iterable[str], remembered: Mapping[str, int] | None = None) -> dict[str, int]:
    """Give every name its slot: fixed, else remembered, else the first that is free.

    A remembered slot that belongs to one of the repository's rows, or that two names claim, is given to the first
    alone. The answer does not depend on the order of ``names``.

    >>> assign(["native", "mine", "theirs"], {"theirs": 6})
    {'mine': 7, 'native': 0, 'theirs': 6}
    """
    remembered = dict(remembered or {})
    wanted = sorted(set(names))
    slots = {name: _FIXED[name] for name in wanted if name in _FIXED}
    taken = set(_FIXED.values())
    # Every remembered name keeps its slot from newcomers, whether or not this run has it.
    for name, slot in sorted(remembered.items()):
        if name not in _FIXED and slot not in taken:
            taken.add(slot)
            if name in wanted:
                slots[name] = slot
    for name in wanted:
        if name not in slots:
            slots[name] = next(slot for slot in range(len(taken) + 1) if slot not in taken)
            taken.add(slots[name])
    return dict(sorted(slots.items()))


def look(slot: int) -> Look:
    """Say how the implementation of a slot is drawn; grey from the ninth on."""
    tint = SLOTS[slot] if slot < len(SLOTS) else GREY
    marker, sign = _MARKERS[slot % len(_MARKERS)]
    return Look(tint=tint, marker=marker, sign=sign)


def looks(names: Iterable[str], remembered: Mapping[str, int] | None = None) -> dict[str, Look]:
    """Say how each name is drawn."""
    return {name: look(slot) for name, slot in assign(names, remembered).items()}
