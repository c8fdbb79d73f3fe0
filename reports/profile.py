"""A profile's frames to its page: bytes beside the least possible, where the time goes, and what could not be seen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from . import intake, machine, tables, views
from . import profile_views as found
from . import quantities as q
from .document import Document, Picture, Section
from .figures import bytes_moved
from .forms import html as page
from .profile_schema import CELL_COLUMNS, DeviceKernelRow, KernelRow, ProfileRow
from .schema import FORMAT_VERSION
from .style import Look, looks

MOST_KERNELS = 8
"""Rows of a cell's table on the page; the Parquet file has them all."""

_MOVED = ("moved_bytes", "Bytes moved beside the least possible", "moves")
_TOUCHED = ("touched_bytes", "Bytes touched beside the least possible", "touches")

_READING = {
    "moved_bytes": (
        "Counted by the hardware ({source}). The bar is the least any implementation must move; a mark at its left"
        " had its data in a cache already."
    ),
    "touched_bytes": (
        "Not counted by the hardware: the sizes of the tensors that each operator of a call reads and writes, each"
        " once an operator. What a cache saves, and what a kernel reads twice, is not in it. The bar is the least any"
        " implementation must move."
    ),
}


def html(cells: pd.DataFrame, kernels: pd.DataFrame, device_kernels: pd.DataFrame, info: Mapping[str, Any]) -> str:
    """Write the page of a profile.

    Parameters
    ----------
    cells, kernels, device_kernels
        Frames of ``profile_schema.ProfileRow``, ``KernelRow`` and ``DeviceKernelRow``.
    info
        ``profile.json``.
    """
    return page.text(compose(cells, kernels, device_kernels, info))


def compose(
    cells: pd.DataFrame, kernels: pd.DataFrame, device_kernels: pd.DataFrame, info: Mapping[str, Any]
) -> Document:
    """Say everything that the page of a profile says."""
    named = views.cells(intake.check(cells, ProfileRow), machine.reference([info]))
    drawn = looks(named["implementation"].unique(), machine.part(info, "colours"))
    sections = (
        *(_bytes(named, *kind, drawn) for kind in (_MOVED, _TOUCHED)),
        _cells(named),
        _times(named, intake.check(kernels, KernelRow)),
        _on_device(named, intake.check(device_kernels, DeviceKernelRow)),
        _counters(named),
        _missing(named),
        _timeline(named),
        Section(key="reproduce", title="How to reproduce", commands=machine.commands([info])),
    )
    return Document(
        title="GroupNorm profile",
        subject=machine.processor(info),
        sentences=_sentences(named),
        strip=_strip(named),
        warnings=tuple(str(word) for word in info.get("warnings") or ()),
        sections=tuple(one for one in sections if not one.is_empty),
        looks=drawn,
        foot=f"format version {FORMAT_VERSION} · run {info.get('run_id')} · under a profiler, so no latencies",
    )


def _sentences(named: pd.DataFrame) -> tuple[str, ...]:
    said = [f"{len(found.profiled(named))} of {q.plural(len(named), 'cell')} profiled."]
    for column, _, verb in (_MOVED, _TOUCHED):
        ratios = found.ratios(named, column)
        if len(ratios):
            words = [f"{name} {verb} {q.ratio(value)}" for name, value in ratios.items()]
            said.append(f"Of the least possible bytes, {q.listed(words)} (geometric mean over problems).")
            break
    return tuple(said)


def _strip(named: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    return (
        ("problems", str(named["problem"].nunique())),
        ("cells profiled", f"{len(found.profiled(named))} of {len(named)}"),
        ("with moved bytes", str(int(named["moved_bytes"].notna().sum()))),
        ("with touched bytes", str(int(named["touched_bytes"].notna().sum()))),
    )


def _bytes(named: pd.DataFrame, column: str, title: str, verb: str, drawn: Mapping[str, Look]) -> Section:
    key = column.replace("_", "-")
    view = named[named[column].notna()]
    view = view[view[column] > 0]
    if view.empty:
        return Section(key=key, title=title)
    view = view.assign(over=view[column].astype(float) / view["minimum_bytes"].astype(float))
    most = view.sort_values("over", ascending=False, kind="stable").iloc[0]
    table = tables.of_frame(
        title,
        view,
        {
            "problem": ("problem", None),
            "implementation": ("implementation", None),
            "minimum_bytes": ("least possible", q.byte_count),
            column: (title.split()[1], q.byte_count),
            "over": ("over the least", q.ratio),
            "allocated_bytes": ("allocated", q.byte_count),
        },
    )
    sources = [str(one) for one in view["moved_source"].dropna().unique()]
    picture = Picture(
        key=key,
        finding=f"At most, {most['implementation']} {verb} {q.ratio(most['over'])} the least possible, on"
        f" {most['problem']}",
        reading=_READING[column].format(source="; ".join(sources)),
        draw=partial(bytes_moved.draw, view, column, drawn),
        table=table,
    )
    return Section(key=key, title=title, pictures=(picture,))


def _cells(named: pd.DataFrame) -> Section:
    heads = ("problem", "implementation", "status", "trace", "size", "calls", "a warm call", "the same, traced")
    rows = [
        (
            tables.Entry(text=str(row["problem"])),
            tables.Entry(text=str(row["implementation"])),
            tables.Entry(
                text=str(row["status"]).replace("_", " "),
                title="" if q.is_null(row["reason"]) else str(row["reason"]),
            ),
            _trace(row),
            *(_figure(row[name], write) for name, write in _CELL_FIGURES),
        )
        for row in views.records(named)
    ]
    table = tables.Table(
        caption="Cells and their traces; open one at ui.perfetto.dev",
        columns=heads,
        rows=tuple(rows),
        numeric=frozenset(range(4, len(heads))),
    )
    return Section(key="cells", title="Traces", tables=(table,))


_CELL_FIGURES = (
    ("trace_bytes", q.byte_count),
    ("traced_calls", q.count),
    ("call_s", q.seconds),
    ("traced_call_s", q.seconds),
)


def _trace(row: Mapping[str, Any]) -> tables.Entry:
    if q.is_null(row["trace"]):
        return tables.Entry(text=q.NULL)
    return tables.Entry(text="trace", href=str(row["trace"]))


def _figure(value: Any, write: tables.Writer) -> tables.Entry:
    return tables.Entry(text=write(value), value=None if q.is_null(value) else float(value))


def _times(named: pd.DataFrame, kernels: pd.DataFrame) -> Section:
    made = []
    for cell in views.records(found.profiled(named)):
        for kind, rows in found.top_kernels(kernels, cell, MOST_KERNELS).groupby("kind", sort=False):
            where = "on the device" if kind == "kernel" else "on the host"
            made.append(
                tables.of_frame(
                    f"{cell['implementation']} on {cell['problem']}, {where}",
                    rows,
                    {
                        "kernel": (str(kind), None),
                        "calls": ("calls", q.count),
                        "self_s": ("own time in a call", q.seconds),
                        "share": ("share", q.percent),
                    },
                )
            )
    prose = (
        f"The {MOST_KERNELS} longest of each cell by their own time; the profiler's cost is in it, most of all in what"
        " is outside torch's operators.",
    )
    return Section(key="times", title="Where the time goes", prose=prose if made else (), tables=tuple(made))


def _on_device(named: pd.DataFrame, device_kernels: pd.DataFrame) -> Section:
    view = device_kernels.merge(named[[*CELL_COLUMNS, "problem"]], on=list(CELL_COLUMNS))
    if view.empty:
        return Section(key="device", title="Kernels on the device")
    table = tables.of_frame(
        "Each kernel of one call, caches emptied before it",
        view,
        {
            "implementation": ("implementation", None),
            "problem": ("problem", None),
            "kernel": ("kernel", None),
            "launches": ("launches", q.count),
            "kernel_s": ("time", q.seconds),
            "dram_bytes": ("DRAM bytes", q.byte_count),
            "dram_bytes_per_s": ("DRAM throughput", q.bandwidth),
            "dram_throughput": ("of its peak", q.percent),
            "occupancy": ("occupancy", q.percent),
            "registers": ("registers", q.count),
        },
    )
    return Section(key="device", title="Kernels on the device", tables=(table,))


_COUNTERS: dict[str, tuple[str, tables.Writer | None]] = {
    "instructions": ("instructions", partial(q.with_prefix, unit="")),
    "cycles": ("cycles", partial(q.with_prefix, unit="")),
    "cache_misses": ("cache misses", partial(q.with_prefix, unit="")),
    "llc_loads": ("LLC loads", partial(q.with_prefix, unit="")),
    "llc_load_misses": ("LLC load misses", partial(q.with_prefix, unit="")),
    "page_faults": ("page faults", q.count),
    "task_s": ("time on cores", q.seconds),
}


def _counters(named: pd.DataFrame) -> Section:
    there = {name: how for name, how in _COUNTERS.items() if named[name].notna().any()}
    if not there:
        return Section(key="counters", title="The processor's counters")
    table = tables.of_frame(
        "Counted by perf over a burst of calls without a profiler; each figure is of one call",
        named[named["counted_calls"].notna()],
        {
            "implementation": ("implementation", None),
            "problem": ("problem", None),
            "counted_calls": ("calls", q.count),
            **there,
        },
    )
    return Section(key="counters", title="The processor's counters", tables=(table,))


def _missing(named: pd.DataFrame) -> Section:
    rows = found.missing(named)
    if not rows:
        return Section(key="missing", title="What could not be seen")
    table = tables.of_pairs(
        "What is missing, of which implementations, in how many cells, and why",
        ("what", "implementations", "cells", "why"),
        rows,
    )
    return Section(key="missing", title="What could not be seen", tables=(table,))


def _timeline(named: pd.DataFrame) -> Section:
    traced = found.profiled(named)
    if traced.empty:
        return Section(key="timeline", title="A timeline in Nsight Systems")
    request = str(traced.iloc[0]["trace"]).replace("traces/", "requests/").removesuffix(".gz")
    return Section(
        key="timeline",
        title="A timeline in Nsight Systems",
        prose=(
            "Each cell has a file below requests; a process that is given one makes its calls inside nvtx ranges of"
            " the domain groupnorm_bench, named by implementation, problem and phase. In this folder:",
        ),
        commands=(f"nsys profile --trace=cuda,nvtx,osrt -o timeline python -P -m bench.profiling.cell {request}",),
    )
