"""``gnbench run``: a sweep to a run directory and its report."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.cli import options as opt
from bench.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from bench.run import Plan, Run


def run(
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
    reference: opt.Reference = None,
    plugin: opt.Plugin = None,
    threads: opt.Threads = None,
    budget: opt.Budget = None,
    precision: opt.Precision = None,
    passes: opt.Passes = None,
    cache: opt.Cache = None,
    timer: opt.Timer = None,
    sustained: opt.Sustained = None,
    cell_timeout: opt.CellTimeout = None,
    seed: opt.Seed = None,
    out: opt.Out = None,
    resume: opt.Resume = None,
    accept_changes: opt.AcceptChanges = False,
    dry_run: opt.DryRun = False,
    json: opt.AsJson = False,
) -> int:
    """Measure a sweep: latency, memory and numerical error of every implementation, and their report."""
    from bench.cli.show import interruptible, listening
    from bench.plan.slurm import is_task_of_many
    from bench.run import plan
    from bench.run import resume as resume_run
    from bench.run import run as start_run

    if resume is not None:
        _only_resume()
        with interruptible(), listening() as listener:
            ended = resume_run(resume, listener, accept_changes=accept_changes)
        return _show(ended, as_json=json)
    if accept_changes:
        raise UsageError("--accept-changes", "is given without --resume", "name the run to go on with")
    configured = opt.configured(
        preset=preset,
        config=config,
        device=device,
        axes={
            "N": n, "C": c, "H": h, "W": w, "G": g,
            "dtype": dtype, "weight_dtype": weight_dtype, "affine": affine, "eps": eps,
            "layout": layout, "direction": direction, "activation": activation,
        },
        settings={
            "impl": impl, "exclude": exclude, "reference": reference, "threads": threads,
            "budget_s": budget, "precision_percent": precision, "passes": passes, "cache": cache,
            "timer": timer, "cell_timeout_s": cell_timeout, "seed": seed, "shard": shard,
        },
    )  # fmt: skip
    configured = opt.with_plugins(configured, plugin)
    if sustained is not None:
        configured = replace(configured, settings=replace(configured.settings, sustained=sustained))
    if dry_run:
        return _show_plan(plan(configured.sweep, configured.settings), as_json=json)
    with interruptible(), listening() as listener:
        if shard is None and is_task_of_many(os.environ):
            listener.warned("this is one of a job array's tasks, and each measures the whole sweep; give --shard slurm")
        ended = start_run(
            configured.sweep, configured.settings, out=out, listener=listener, command=["gnbench", *sys.argv[1:]]
        )
    return _show(ended, as_json=json)


def _only_resume() -> None:
    own = ("--resume", "--json", "--accept-changes")
    words = [word for word in sys.argv[2:] if word.startswith("-") and word.split("=")[0] not in own]
    if words:
        raise UsageError("--resume", f"is given together with {words[0]}", "the run keeps its own settings")


def _show_plan(planned: Plan, *, as_json: bool) -> int:
    from bench.cli.show import console, document, plan_table

    if as_json:
        document(_plan_document(planned))
    else:
        console().print(plan_table(planned))
    return ExitStatus.DONE


def _plan_document(planned: Plan) -> dict[str, Any]:
    fits = {need.key: need for need in planned.cost.needs}
    return {
        "problems": [
            block.problem.to_dict()
            | {
                "count": block.count,
                "source": block.source,
                "fits": fits[block.key].fits,
                "needed_bytes": fits[block.key].needed_bytes,
            }
            for block in planned.blocks
        ],
        "left_out": [
            {"reason": left.reason, "count": left.count, "example": left.example} for left in planned.expansion.left_out
        ],
        "cost": {"seconds": planned.cost.seconds, "most_bytes": planned.cost.most_bytes},
    }


def _show(ended: Run, *, as_json: bool) -> int:
    from bench.cli.show import console, document, frame_records, to_error
    from reports.forms.terminal import summary

    info = ended.directory.info()
    if as_json:
        document(
            {
                "run": str(ended.path),
                "report": str(ended.directory.report_path),
                "info": info,
                "results": frame_records(ended.results),
            }
        )
    else:
        console().print(summary(ended.results, info))
        console().print(f"report: {ended.directory.report_path}", soft_wrap=True)
    for row in ended.failed:
        to_error(f"{row.implementation} on N{row.N}-C{row.C}-H{row.H}-W{row.W}-G{row.G}: {row.status}: {row.reason}")
    return ExitStatus.ANSWER_IS_NO if ended.failed else ExitStatus.DONE
