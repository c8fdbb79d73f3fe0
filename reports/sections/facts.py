"""Sections of facts: tables and commands without a picture."""

from __future__ import annotations

import pandas as pd

from .. import machine, tables, totals, views
from .. import quantities as q
from ..document import Section, Subject
from ..schema import STATUS_MEANING, Status


def at_a_glance(subject: Subject) -> Section:
    """Count what became of each implementation's cells."""
    frame = views.answer_counts(subject.cells)
    clone = views.clone_counts(subject.cells)
    if clone["problems"]:
        frame = pd.concat([frame, pd.DataFrame([{"implementation": tables.CLONE, **clone}])], ignore_index=True)
    table = tables.of_frame(
        "Each implementation: how often measured, how often clearly fastest, and its speed-up to the reference",
        frame,
        {
            "implementation": ("implementation", None),
            "cells": ("cells", q.count),
            "measured": ("measured", q.count),
            "wins": ("clearly fastest", q.count),
            "speedup": ("speed-up, geometric mean", q.ratio),
            "speedup_least": ("least", q.ratio),
            "speedup_most": ("most", q.ratio),
        },
    )
    return Section(key="implementations", title="Implementations at a glance", tables=(table,) if len(frame) else ())


def whole_models(subject: Subject) -> Section:
    """Give what a whole model's calls take together, by implementation."""
    return Section(key="model", title="The whole model", tables=totals.of_runs(subject.infos))


def first_calls(subject: Subject) -> Section:
    """List the slowest first calls."""
    view = views.first_calls(subject.cells)
    table = tables.of_frame(
        "The slowest first call of each implementation, compilation included",
        view,
        {
            "implementation": ("implementation", None),
            "first_call_s": ("first call", q.seconds),
            "latency_s": ("later calls", q.seconds),
            "problem": ("problem", None),
        },
    )
    return Section(key="first-call", title="First call", tables=(table,) if len(view) else ())


def without_figure(subject: Subject) -> Section:
    """List what has no figure, remarks, and combinations left out, with reasons."""
    view = views.without_figure(subject.cells)
    meant = {word: STATUS_MEANING[Status(word)] for word in view["status"].unique()}
    made = []
    if len(view):
        made.append(
            tables.of_frame(
                "Cells without a figure, and why",
                view.assign(status=[f"{one.replace('_', ' ')}: {meant[one]}" for one in view["status"]]),
                {
                    "implementation": ("implementation", None),
                    "status": ("status", None),
                    "reason": ("reason", None),
                    "count": ("cells", q.count),
                    "problem": ("for example", None),
                },
            )
        )
    notes = views.remarks(subject.cells)
    if len(notes):
        written = {"implementation": ("implementation", None), "reason": ("remark", None), "count": ("cells", q.count)}
        made.append(tables.of_frame("Remarks on cells with a figure", notes, written))
    left = [one for info in subject.infos for one in info.get("left_out") or ()]
    if left:
        total = sum(int(one.get("count") or 0) for one in left)
        made.append(
            tables.of_pairs(
                f"Combinations of the sweep that are no problem: {total} left out",
                ("reason", "combinations", "for example"),
                [[str(one.get(key) or q.NULL) for key in ("reason", "count", "example")] for one in left],
            )
        )
    return Section(key="without-figure", title="Failed, skipped and left out", tables=tuple(made))


def environment(subject: Subject) -> Section:
    """List the facts of machine and run."""
    table = machine.table(subject.infos)
    return Section(key="environment", title="The machine and the run", tables=(table,) if table.rows else ())


def reproduce(subject: Subject) -> Section:
    """Give the exact command."""
    commands = machine.commands(subject.infos)
    if not commands:
        return Section(key="reproduce", title="Reproduce")
    return Section(
        key="reproduce",
        title="How to reproduce",
        prose=("Inputs are made from the seed, so the same command measures the same numbers on another machine.",),
        commands=commands,
    )
