"""What a report is about and what it says, whatever its form: records that ``compose`` fills and ``forms`` write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from .style import Look
from .tables import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a report is about."""

    cells: pd.DataFrame
    """Of ``views.cells``."""
    samples: pd.DataFrame
    infos: tuple[Mapping[str, Any], ...]
    """One ``run.json`` a run."""
    looks: Mapping[str, Look]


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """A vertical axis of a picture that can be brushed; places are in the units of the picture's ``viewBox``."""

    name: str
    x: float
    ticks: tuple[tuple[str, float], ...]
    """(label, y), the lowest first."""
    scale: tuple[float, float, float, float] | None = None
    """y and value of the lower end, then of the upper, in the unit of the labels; None where ticks are all there is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Brush:
    """How lines of a picture, drawn with the ids ``line-KEY``, are filtered by its axes.

    The first column of the picture's table holds the keys, so that its rows are filtered alike.
    """

    axes: tuple[Axis, ...]
    noun: str
    """What a line is, in the plural."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture, what it shows, how to read it, and its figures as a table."""

    key: str
    """Unlike that of any other picture of the document; letters, digits and dashes."""
    finding: str
    reading: str
    draw: Callable[[], Figure]
    """Called only by forms that have pictures."""
    table: Table
    is_its_table: bool = False
    """The table says it better where there is room: it stands open and the picture is folded."""
    brush: Brush | None = None
    """Given, the picture takes the page's width, and a reader with JavaScript can filter it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading and what stands below it."""

    key: str
    title: str
    prose: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing stands below the heading."""
        return not (self.prose or self.commands or self.pictures or self.tables)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A whole report."""

    title: str
    subject: str
    """What all its problems share, and the machine, in one line."""
    sentences: tuple[str, ...]
    strip: tuple[tuple[str, str], ...]
    """Figures at a glance: (what, figure)."""
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    looks: Mapping[str, Look]
    foot: str
