"""Views to tables of text: what HTML, Markdown and LaTeX print alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from . import quantities as q
from .schema import Status
from .views import clones, implementations, records

CLONE = "clone (a plain copy)"
"""Its column or line in a table of speed-ups: what moving the same bytes into fresh memory takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One cell of a table."""

    text: str
    value: float | str | None = None
    """What sorting compares; the text where None."""
    step: int | None = None
    """Colour of the speed-up map, -2 to 2."""
    mark: str = ""
    """What the colour or a sign says, in a word, for who cannot see it."""
    title: str = ""
    """More about it, such as the reason why there is no figure."""
    href: str = ""
    """A file beside the page that the text leads to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A caption, column names and rows; the first column names the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Places of the columns that are set flush right."""
    swatches: bool = False
    """Column names are implementations and get their colour."""


Writer = Callable[[Any], str]


def of_frame(caption: str, frame: pd.DataFrame, written: Mapping[str, tuple[str, Writer | None]]) -> Table:
    """Make a table of some columns of a frame: column → (heading, how a value is written; None for text)."""
    rows = [tuple(_entry(row[name], write) for name, (_, write) in written.items()) for row in records(frame)]
    return Table(
        caption=caption,
        columns=tuple(heading for heading, _ in written.values()),
        rows=tuple(rows),
        numeric=frozenset(place for place, (_, write) in enumerate(written.values()) if write is not None),
    )


def _entry(value: Any, write: Writer | None) -> Entry:
    if write is None:
        return Entry(text=q.NULL if q.is_null(value) else str(value))
    return Entry(text=write(value), value=None if q.is_null(value) else float(value))


def of_pairs(caption: str, columns: tuple[str, ...], rows: Iterable[Iterable[str]]) -> Table:
    """Make a table of plain text."""
    return Table(caption=caption, columns=columns, rows=tuple(tuple(Entry(text=text) for text in row) for row in rows))


def crossed(
    caption: str, frame: pd.DataFrame, write: Callable[[Mapping[str, Any]], Entry], order: list[str] | None = None
) -> Table:
    """Make a table problem × implementation; ``write`` turns a row of the frame into the cell."""
    names = order or list(dict.fromkeys(frame["implementation"]))
    written = {(row["problem"], row["implementation"]): write(row) for row in records(frame)}
    absent = Entry(text=q.NULL, mark="not part of this run")
    rows = [
        (Entry(text=problem), *(written.get((problem, name), absent) for name in names))
        for problem in dict.fromkeys(frame["problem"])
    ]
    return Table(
        caption=caption,
        columns=("problem", *names),
        rows=tuple(rows),
        numeric=frozenset(range(1, len(names) + 1)),
        swatches=True,
    )


def speedup_table(cells: pd.DataFrame, speedups: pd.DataFrame, caption: str) -> Table:
    """Make the speed-up map: figure, interval, and the reason where there is none; a plain copy's line at its end."""
    copies = clones(cells)
    if copies.empty:
        return crossed(caption, speedups, _speedup, implementations(cells))
    copies = copies.assign(implementation=CLONE, status=Status.OK, is_reference=False, is_winner=False)
    both = pd.concat([speedups.astype(object), copies.astype(object)], ignore_index=True)
    return crossed(caption, both, _speedup, [*implementations(cells), CLONE])


def _speedup(row: Mapping[str, Any]) -> Entry:
    if row["status"] != Status.OK:
        words = str(row["status"]).replace("_", " ")
        return Entry(text=words, title="" if q.is_null(row["reason"]) else str(row["reason"]))
    if q.is_null(row["speedup"]):
        # A cell may be right and have no speed-up: the reference itself, or an interpreted kernel.
        text = q.seconds(row["latency_s"]) if not q.is_null(row["latency_s"]) else "right, not timed"
        return Entry(text=text, title="" if q.is_null(row["reason"]) else str(row["reason"]))
    if row["is_reference"]:
        return Entry(text=q.seconds(row["latency_s"]), value=1.0, step=0)
    return Entry(
        text=q.ratio_with_interval(row["speedup"], row["speedup_low"], row["speedup_high"]),
        value=float(row["speedup"]),
        step=None if q.is_null(row["step"]) else int(row["step"]),
        mark="fastest" if row["is_winner"] else "",
    )
