"""``gnbench gate``: base against head, and a verdict."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from bench.against import Found
    from bench.gate.asked import Asked, Gated
    from bench.gate.sources import Sides
    from reports.gate_schema import Outcome

_SIDES = "What is compared"
_LINES = "Lines"
_BUDGET_S = 120.0


def _sides(*names: str, help: str) -> Any:  # noqa: A002 - typer's own word
    return typer.Option(*names, help=help, rich_help_panel=_SIDES, show_default=False)


def _line(*names: str, help: str) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=_LINES, show_default=False)


Base = Annotated[str | None, _sides("--base", help="A git revision; head is the working tree. Both in one run.")]
BasePlugin = Annotated[Path | None, _sides("--base-plugin", help="A plugin file, beside --head-plugin.")]
HeadPlugin = Annotated[Path | None, _sides("--head-plugin", help="The plugin file to judge.")]
Baseline = Annotated[
    Path | None, _sides("--baseline", help="A run, a stored baseline or pytest-benchmark's JSON, instead of --base.")
]
BaselineStrict = Annotated[bool, _sides("--baseline-strict", help="Against a baseline latency fails, too.")]
Allow = Annotated[str | None, _sides("--allow", help="Conditions of a baseline that may differ: model,threads,...")]
ResumeGate = Annotated[Path | None, _sides("--resume", help="Go on with an undecided gate, for --budget seconds more.")]
SelfCheck = Annotated[bool, _sides("--self-check", help="How often does the gate itself alarm, on this machine?")]
Replay = Annotated[Path | None, _sides("--replay", help="A recording to take for --self-check.")]
RequireClean = Annotated[bool, _sides("--require-clean", help="Refuse a working tree with changes.")]
MeasureEqual = Annotated[bool, _sides("--measure-equal", help="Measure rows whose sources are the same, too.")]
Apart = Annotated[bool, _sides("--apart", help="Give each side a process of its own, as sides that clash get.")]
NoCallgrind = Annotated[bool, _sides("--no-callgrind", help="Count no instructions, though valgrind is there.")]
Arch = Annotated[str | None, _sides("--arch", help="Compiled kernels are compared for (sm_80,sm_90,sm_100,sm_120).")]
Passes = Annotated[int, _sides("--passes", help="Passes to record for --self-check (400).")]
Policy = Annotated[Path | None, _line("--policy", help="Thresholds and allowances (gnbench.toml where it is there).")]
Threshold = Annotated[str | None, _line("--threshold", help="A slowdown that must be found, in % (5).")]
Tolerance = Annotated[str | None, _line("--tolerance", help="A slowdown that nobody is woken for, in % (1.5).")]
Alpha = Annotated[str | None, _line("--alpha", help="Most false alarms of the whole gate, in % (1).")]
Budget = Annotated[str | None, typer.Option("--budget", help="Seconds of wall time (120).", show_default=False)]


def gate(
    base: Base = None,
    base_plugin: BasePlugin = None,
    head_plugin: HeadPlugin = None,
    baseline: Baseline = None,
    baseline_strict: BaselineStrict = False,
    allow: Allow = None,
    resume: ResumeGate = None,
    self_check: SelfCheck = False,
    replay: Replay = None,
    passes: Passes = 400,
    require_clean: RequireClean = False,
    measure_equal: MeasureEqual = False,
    apart: Apart = False,
    no_callgrind: NoCallgrind = False,
    arch: Arch = None,
    policy: Policy = None,
    threshold: Threshold = None,
    tolerance: Tolerance = None,
    alpha: Alpha = None,
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
    impl: opt.Impl = None,
    exclude: opt.Exclude = None,
    threads: opt.Threads = None,
    budget: Budget = None,
    cache: opt.Cache = None,
    timer: opt.Timer = None,
    cell_timeout: opt.CellTimeout = None,
    seed: opt.Seed = None,
    out: opt.Out = None,
    json: opt.AsJson = False,
) -> int:
    """Judge a change: 0 no regression, 1 a regression, 2 the question was wrong, 3 no verdict in the budget."""
    from bench.cli.show import interruptible, listening

    if resume is not None:
        _only_resume()
        from bench.gate.run import resume as go_on

        seconds = opt.configured_budget(budget, _BUDGET_S)
        with interruptible(), listening() as listener:
            found = go_on(resume, seconds, listener=listener)
        return _show(found, as_json=json)
    make_sides = None
    if baseline is None and not self_check:
        make_sides = _make_sides(base, base_plugin, head_plugin, require_clean=require_clean)
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
            "impl": impl, "exclude": exclude, "threads": threads, "cache": cache,
            "timer": timer, "cell_timeout_s": cell_timeout, "seed": seed,
        },
    )  # fmt: skip
    settings = replace(configured.settings, budget_s=opt.configured_budget(budget, _BUDGET_S))
    asked = _asked(replace(configured, settings=settings), policy, arch, measure_equal=measure_equal)
    asked = replace(asked, apart=apart, instructions=not no_callgrind)
    asked = _with_lines(asked, {"threshold": threshold, "tolerance": tolerance, "alpha": alpha})
    if baseline is not None:
        from bench.against import Against, hold
        from bench.plan.axes import split

        axes = (preset, config, n, c, h, w, g, dtype, weight_dtype, affine, eps, layout, direction, activation)
        held = Against(
            baseline=baseline,
            strict=baseline_strict,
            allowed=split(allow, "--allow") if allow else (),
            takes_own_axes=any(axis is not None for axis in axes),
        )
        with interruptible(), listening() as listener:
            against = hold(asked, held, out=out, listener=listener, command=asked.command)
        return _show(against, as_json=json)
    if make_sides is None:
        from bench.cli.gate_proof import self_check as prove_itself

        return prove_itself(asked, passes=passes, replay=replay, out=out, as_json=json)
    from bench.gate.run import gate as gated

    with interruptible(), listening() as listener:
        found = gated(asked, make_sides, out=out, listener=listener)
    return _show(found, as_json=json)


def _only_resume() -> None:
    own = ("--resume", "--json", "--budget")
    words = [word for word in sys.argv[2:] if word.startswith("--") and word.split("=")[0] not in own]
    if words:
        raise UsageError("--resume", f"is given together with {words[0]}", "the gate keeps its own settings")


def _make_sides(
    base: str | None, base_plugin: Path | None, head_plugin: Path | None, *, require_clean: bool
) -> Callable[[Path], Sides]:
    from bench.gate import sources

    given = base_plugin is not None or head_plugin is not None
    if base is not None and given:
        raise UsageError("--base", "is given together with a plugin file", "give one of them")
    if base is not None:
        return lambda folder: sources.of_revision(base, folder, start=Path.cwd(), require_clean=require_clean)
    if base_plugin is None or head_plugin is None:
        if given:
            missing = "--base-plugin" if base_plugin is None else "--head-plugin"
            raise UsageError(missing, "is missing", "give both plugin files")
        raise UsageError("--base", "is missing", "name what to compare with, as --base main")
    one, other = base_plugin, head_plugin
    return lambda folder: sources.of_plugins(one, other, folder)


def _asked(configured: Any, policy: Path | None, arch: str | None, *, measure_equal: bool) -> Asked:
    from bench.gate.asked import Asked
    from bench.gate.compiled import ARCHITECTURES
    from bench.gate.policy import FILE, read
    from bench.plan.axes import words

    path = policy or (Path(FILE) if Path(FILE).is_file() else None)
    return Asked(
        sweep=configured.sweep,
        settings=configured.settings,
        policy_text=read(path) if path else "",
        architectures=ARCHITECTURES if arch is None else words(arch, ARCHITECTURES, "--arch"),
        measure_equal=measure_equal,
        command=("gnbench", *sys.argv[1:]),
    )


def _with_lines(asked: Asked, texts: dict[str, str | None]) -> Asked:
    """Put the lines of the command line, in per cent, above those of the policy."""
    from bench.plan.axes import number

    given = {name: number(text, f"--{name}") / 100 for name, text in texts.items() if text is not None}
    try:
        asked = replace(asked, lines=given)
        asked.policy  # noqa: B018 - lines in the wrong order are told before anything is made
    except ValueError as error:
        argument = next((f"--{name}" for name in given if str(error).startswith(name)), "--threshold")
        raise UsageError(argument, str(error), "give per cent: --threshold 5 --tolerance 1.5") from None
    return asked


def _show(found: Gated | Found, *, as_json: bool) -> int:
    from bench.cli.show import console, document, frame_records, to_error
    from bench.gate.written import write
    from reports.forms import annotations
    from reports.forms.gate_terminal import verdicts

    frame, info = found.frame, found.info
    write(found.folder, frame, info)
    if as_json:
        document({"gate": info, "verdicts": frame_records(frame)})
    else:
        console().print(verdicts(frame, info))
        console().print(f"gate: {found.folder.path}", soft_wrap=True)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            _annotate(annotations.lines(frame, info))
    status = _status(found.outcome)
    if status == ExitStatus.USAGE:
        to_error(f"{found.outcome}: allow it with [[gate.allow]] in gnbench.toml, or compare other cells")
    return status


def _annotate(lines: Sequence[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _status(outcome: Outcome) -> ExitStatus:
    from reports.gate_schema import Outcome

    return {
        Outcome.REGRESSION: ExitStatus.ANSWER_IS_NO,
        Outcome.CLEAR: ExitStatus.DONE,
        Outcome.UNDECIDED: ExitStatus.INCONCLUSIVE,
        Outcome.NO_VERDICT: ExitStatus.INCONCLUSIVE,
    }.get(outcome, ExitStatus.USAGE)
