"""``gnbench study``: trains a small network with each normalization, and times a training step with each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from bench.cli import options as opt
from bench.errors import ExitStatus, Stopped, UsageError


def _option(*names: str, text: str, panel: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


_AXES, _SWEEP, _MEANS = "Axes (comma lists)", "Sweep", "Means"
NetworkOption = Annotated[
    str | None,
    _option("--network", text="tutorial (default); resnet50_gn or unet_small: a step's time alone.", panel=_AXES),
]
NormOption = Annotated[str | None, _option("--norm", text="none,batch,layer,group:2,8,instance.", panel=_AXES)]
BatchSize = Annotated[str | None, _option("--batch-size", text="2,8,32,128.", panel=_AXES)]
LearningRate = Annotated[
    str | None, _option("--learning-rate", text="1e-3,1e-2; random and TPE take a range 1e-4..1e-1 too.", panel=_AXES)
]
ImplementationOption = Annotated[
    str | None, _option("--implementation", text="Rows that compute group norm: native,cpp.", panel=_AXES)
]
Seeds = Annotated[str | None, _option("--seeds", text="How many (4; of a sweep 1).", panel=_AXES)]
Folds = Annotated[str | None, _option("--folds", text="How many (3).", panel=_AXES)]
Epochs = Annotated[str | None, _option("--epochs", text="Train for so many epochs (3).", panel=_AXES)]
Updates = Annotated[str | None, _option("--updates", text="Train for so many updates (200).", panel=_AXES)]
DataOption = Annotated[
    str | None, _option("--data", text="digits (8 x 8, default), mnist5k (28 x 28) or mnist.", panel=_AXES)
]
DataDir = Annotated[str | None, _option("--data-dir", text="A folder with MNIST's four IDX files.", panel=_AXES)]
Sampler = Annotated[
    str | None,
    _option("--sampler", text="A plain sweep: grid, random or tpe. Without: tune, then compare.", panel=_SWEEP),
]
Trials = Annotated[str | None, _option("--trials", text="How many random or TPE draw.", panel=_SWEEP)]
Prune = Annotated[bool, _option("--prune", text="Stop trials below the median of the others.", panel=_SWEEP)]
Workers = Annotated[
    str | None, _option("--workers", text="Processes that train, one thread each (one a core).", panel=_MEANS)
]
BudgetOption = Annotated[str | None, _option("--budget", text="Seconds after which no trial begins.", panel=_MEANS)]
Passes = Annotated[
    str | None, _option("--passes", text="Fresh processes that time steps (3; with --network 6).", panel=_MEANS)
]
NoTiming = Annotated[bool, _option("--no-timing", text="Do not time steps.", panel=_MEANS)]
Log = Annotated[str | None, _option("--log", text="wandb,tensorboard: write each trial there too.", panel=_MEANS)]


def study(
    network: NetworkOption = None,
    norm: NormOption = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    implementation: ImplementationOption = None,
    seeds: Seeds = None,
    folds: Folds = None,
    epochs: Epochs = None,
    updates: Updates = None,
    data: DataOption = None,
    data_dir: DataDir = None,
    sampler: Sampler = None,
    trials: Trials = None,
    prune: Prune = False,
    plugin: opt.Plugin = None,
    device: opt.Device = None,
    workers: Workers = None,
    threads: opt.Threads = None,
    budget: BudgetOption = None,
    passes: Passes = None,
    no_timing: NoTiming = False,
    seed: opt.Seed = None,
    log: Log = None,
    out: opt.Out = None,
    resume: opt.Resume = None,
    dry_run: opt.DryRun = False,
    json: opt.AsJson = False,
) -> int:
    """Train the tutorial's network with each normalization; time a training step with each.

    Without options: the learning rate is tuned on validation data for each norm and batch size, then norms are
    compared over seeds and folds, at fixed epochs and at fixed updates apart.
    """
    from bench.cli import studying

    texts = {
        "norms": norm, "batch_sizes": batch_size, "learning_rates": learning_rate, "implementations": implementation,
        "seeds": seeds, "folds": folds, "epochs": epochs, "updates": updates, "data": data, "data_dir": data_dir,
        "sampler": sampler, "trials": trials, "device": device, "seed": seed, "log": log,
    }  # fmt: skip
    if resume is not None:
        others = {"out": out, "network": network, "prune": prune, "plugin": plugin, "no_timing": no_timing}
        _refuse_with_resume(texts, dry_run=dry_run, **others)
    asked = studying.asked(texts, prune=prune, plugins=plugin, times_steps=not no_timing)
    means = {"workers": workers, "threads": threads, "budget": budget, "passes": passes}
    bigger = network not in {None, "tutorial"}
    with _stopping(), _progress() as (tell, warn):
        carried = studying.means(means, asked, bigger=bigger, tell=tell, warn=warn)
        if bigger:
            ended = studying.steps(str(network), texts, asked, carried, out=out, dry_run=dry_run)
        elif dry_run:
            ended = studying.planned(asked, carried)
        else:
            ended = studying.carried_out(asked, carried, out=out, resume=resume, words=texts)
    return _show(ended, as_json=json)


def _refuse_with_resume(texts: dict[str, str | None], **others: object) -> None:
    given = {name: value for name, value in (texts | others).items() if value}
    if given:
        from bench.cli.studying import FLAGS

        name = next(iter(given))
        flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
        mend = "leave it out; --budget, --workers, --threads and --passes may differ"
        raise UsageError(flag, "a study that is resumed has its own", mend)


@contextmanager
def _stopping() -> Iterator[None]:
    """Turn the end by a signal into the line that says how to go on."""
    from bench.ending import status_of, told_by_signals

    try:
        with told_by_signals():
            yield
    except KeyboardInterrupt as cause:
        signal = cause.__cause__ if isinstance(cause.__cause__, KeyboardInterrupt) else cause
        raise Stopped(str(cause) if signal is not cause else "interrupted", status_of(signal)) from None


@contextmanager
def _progress() -> Iterator[tuple[Any, Any]]:
    from bench.cli.study_progress import telling

    with telling() as told:
        yield told


def _show(ended: Any, *, as_json: bool) -> int:
    from bench.cli.show import console, document, to_error

    if as_json:
        document(ended.to_document())
    else:
        for line in ended.shown():
            console().print(line, soft_wrap=isinstance(line, str))
    for line in ended.failed:
        to_error(line)
    return ExitStatus.ANSWER_IS_NO if ended.failed else ExitStatus.DONE
