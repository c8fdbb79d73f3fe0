"""``gnbench profile``: where the time goes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.cli import options as opt
from bench.errors import ExitStatus

if TYPE_CHECKING:
    from bench.profiling.profile import CellStarted, Profile


def profile(
    preset: opt.Preset = None,
    config: opt.ConfigFile = None,
    n: opt.N = None,
    c: opt.C = None,
    h: opt.H = None,
    w: opt.W = None,
    g: opt.G = None,
    dtype: opt.Dtype = None,
    weight_dtype: opt.WeightDtype = None,
    affine: opt.Affine = None,
    eps: opt.Eps = None,
    layout: opt.Layout = None,
    direction: opt.Direction = None,
    activation: opt.Activation = None,
    device: opt.Device = None,
    shard: opt.Shard = None,
    impl: opt.Impl = None,
    exclude: opt.Exclude = None,
    plugin: opt.Plugin = None,
    threads: opt.Threads = None,
    cell_timeout: opt.CellTimeout = None,
    seed: opt.Seed = None,
    out: opt.Out = None,
    json: opt.AsJson = False,
) -> int:
    """Show where the time of each cell goes and which bytes it moves: traces, kernels by time, counters.

    Without axes, preset or file: the first problems of the quick preset. Traces open at ui.perfetto.dev. For a
    timeline in Nsight Systems: nsys profile --trace=cuda,nvtx python -P -m bench.profiling.cell DIR/requests/CELL.json
    """
    from bench.profiling.cells import FEW_PROBLEMS
    from bench.profiling.profile import profile as start_profile

    axes = {
        "N": n, "C": c, "H": h, "W": w, "G": g,
        "dtype": dtype, "weight_dtype": weight_dtype, "affine": affine, "eps": eps,
        "layout": layout, "direction": direction, "activation": activation,
    }  # fmt: skip
    configured = opt.configured(
        preset=preset,
        config=config,
        device=device,
        axes=axes,
        settings={
            "impl": impl, "exclude": exclude, "threads": threads, "cell_timeout_s": cell_timeout, "seed": seed,
            "shard": shard,
        },
    )  # fmt: skip
    configured = opt.with_plugins(configured, plugin)
    nothing_chosen = preset is None and config is None and all(value is None for value in axes.values())
    ended = start_profile(
        configured.sweep,
        configured.settings,
        out=out,
        most_problems=FEW_PROBLEMS if nothing_chosen else None,
        tell=_tell,
        command=["gnbench", *sys.argv[1:]],
    )
    return _show(ended, as_json=json)


def _tell(started: CellStarted) -> None:
    left = "" if started.left_s is None else f", about {started.left_s:.0f} s left"
    shape = "-".join(started.cell.problem.key.split("-")[:5])
    sys.stderr.write(f"[{started.place}/{started.cells}{left}] {started.cell.implementation} on {shape}\n")


def _show(ended: Profile, *, as_json: bool) -> int:
    from bench.cli.show import console, document, frame_records, to_error
    from reports.forms.profile_terminal import summary

    if as_json:
        document(
            {
                "profile": str(ended.folder.path),
                "page": str(ended.folder.page),
                "info": ended.info,
                "cells": frame_records(ended.cells),
                "kernels": frame_records(ended.kernels),
                "device_kernels": frame_records(ended.device_kernels),
            }
        )
    else:
        console().print(summary(ended.cells, ended.kernels))
        console().print(f"page: {ended.folder.page}", soft_wrap=True)
        console().print(f"traces, for ui.perfetto.dev: {ended.folder.path / 'traces'}", soft_wrap=True)
    for line in ended.failed():
        to_error(line)
    return ExitStatus.ANSWER_IS_NO if ended.failed() else ExitStatus.DONE
