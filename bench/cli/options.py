"""Every option, declared once; their texts become a sweep and its settings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.errors import UsageError
from bench.plan.config import preset_names

if TYPE_CHECKING:
    from bench.plan.config import Config, Settings

_AXES = "Axes (comma lists)"
_MEASURING = "Measuring"
_ROWS = "Implementations"
_OUTPUT = "Output"


def _option(*names: str, help: str, panel: str) -> Any:  # noqa: A002 - typer's own word
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False)


Preset = Annotated[
    str | None,
    _option(
        "--preset",
        help=f"{', '.join(preset_names())}; docs/workloads.md tells of the models. quick by default.",
        panel=_AXES,
    ),
]
ConfigFile = Annotated[Path | None, _option("--config", help="A TOML file instead of a preset.", panel=_AXES)]
N = Annotated[str | None, _option("-N", help="Batch sizes: 1,2,4.", panel=_AXES)]
C = Annotated[str | None, _option("-C", help="Channels: 320,640.", panel=_AXES)]
H = Annotated[str | None, _option("-H", help="Heights.", panel=_AXES)]
W = Annotated[str | None, _option("-W", help="Widths.", panel=_AXES)]
G = Annotated[
    str | None, _option("-G", help="Numbers of groups: 32, C (one a channel), C/16 (groups of 16).", panel=_AXES)
]
Dtype = Annotated[str | None, _option("--dtype", help="float32, float16, bfloat16.", panel=_AXES)]
WeightDtype = Annotated[str | None, _option("--weight-dtype", help="By default that of x.", panel=_AXES)]
Affine = Annotated[str | None, _option("--affine", help="true,false.", panel=_AXES)]
Eps = Annotated[str | None, _option("--eps", help="1e-5,1e-6.", panel=_AXES)]
Layout = Annotated[str | None, _option("--layout", help="contiguous,channels_last.", panel=_AXES)]
Direction = Annotated[str | None, _option("--direction", help="forward,training_forward,backward.", panel=_AXES)]
Activation = Annotated[str | None, _option("--activation", help="none,silu,relu.", panel=_AXES)]
Device = Annotated[str | None, _option("--device", help="cpu (default) or cuda.", panel=_AXES)]
Shard = Annotated[
    str | None,
    _option("--shard", help="2/4: the second of four parts; 'slurm': this task's part of its job array.", panel=_AXES),
]

Impl = Annotated[str | None, _option("--impl", help="Names to measure; 'all' for every row.", panel=_ROWS)]
Exclude = Annotated[str | None, _option("--exclude", help="Names to leave out.", panel=_ROWS)]
Reference = Annotated[str | None, _option("--reference", help="What others are divided by (native).", panel=_ROWS)]
Plugin = Annotated[
    list[str] | None, _option("--plugin", help="A Python file with @register; may be repeated.", panel=_ROWS)
]

Threads = Annotated[str | None, _option("--threads", help="CPU threads, or 'all' (default).", panel=_MEASURING)]
Budget = Annotated[
    str | None,
    _option("--budget", help="Seconds of measuring for the whole run (the preset's, or 40).", panel=_MEASURING),
]
Precision = Annotated[
    str | None,
    _option("--precision", help="Half-width of a speed-up's interval that is enough, in % (1).", panel=_MEASURING),
]
Passes = Annotated[str | None, _option("--passes", help="Passes on fresh workers, at most (8).", panel=_MEASURING)]
Cache = Annotated[str | None, _option("--cache", help="warm (the CPU's default) or cold (CUDA's).", panel=_MEASURING)]
Timer = Annotated[
    str | None,
    _option("--timer", help="host on the CPU; events (default), graph, cupti or nvbench on CUDA.", panel=_MEASURING),
]
Sustained = Annotated[
    bool | None,
    _option("--sustained/--burst", help="CUDA: under continuous load, or after rests (default).", panel=_MEASURING),
]
CellTimeout = Annotated[
    str | None, _option("--cell-timeout", help="Seconds after which a cell is given up (60).", panel=_MEASURING)
]
Seed = Annotated[str | None, _option("--seed", help="Makes inputs and orders (0).", panel=_MEASURING)]

Out = Annotated[Path | None, _option("--out", help="The run directory (runs/TIME).", panel=_OUTPUT)]
Resume = Annotated[Path | None, _option("--resume", help="Go on with this run; the whole call.", panel=_OUTPUT)]
AcceptChanges = Annotated[
    bool, _option("--accept-changes", help="Resume although the environment was changed.", panel=_OUTPUT)
]
DryRun = Annotated[bool, _option("--dry-run", help="Tell the problems and the cost; measure nothing.", panel=_OUTPUT)]
AsJson = Annotated[bool, _option("--json", help="One JSON document on standard output.", panel=_OUTPUT)]

_SHAPE = ("N", "C", "H", "W", "G")
_AXIS_FLAGS = {name: f"-{name}" for name in _SHAPE} | {
    name: f"--{name.replace('_', '-')}"
    for name in ("dtype", "weight_dtype", "affine", "eps", "layout", "direction", "activation")
}


def configured(
    *,
    preset: str | None,
    config: Path | None,
    device: str | None,
    axes: dict[str, str | None],
    settings: dict[str, str | None],
) -> Config:
    """Turn options' texts into a sweep and settings: a preset or file, with every option given put in its place.

    Without a preset or file, all five of -N -C -H -W -G make a sweep of their own; fewer change the quick preset.
    """
    from bench.plan.axes import READERS
    from bench.plan.config import Config, Settings, load_config, load_preset
    from bench.plan.sweep import Axes, Sweep

    if preset is not None and config is not None:
        raise UsageError("--preset", "is given together with --config", "give one of them")
    given: dict[str, Any] = {
        name: READERS[name](text, _AXIS_FLAGS[name]) for name, text in axes.items() if text is not None
    }
    base = load_config(config) if config is not None else load_preset(preset or "quick")
    own_sweep = preset is None and config is None and all(name in given for name in _SHAPE)
    if own_sweep:
        base = Config(sweep=Sweep(entries=(Axes(**given),)), settings=Settings())
    sweep = base.sweep if own_sweep else base.sweep.override(**given)
    if not sweep.entries and all(name in given for name in _SHAPE):
        sweep = replace(sweep, entries=(Axes(**given),))
    return with_options(replace(base, sweep=sweep), device, settings)


def configured_budget(text: str | None, default: float) -> float:
    """Read --budget, s; UsageError where it is not positive."""
    from bench.plan.axes import number
    from bench.plan.config import Settings

    return Settings(budget_s=default if text is None else number(text, "--budget")).budget_s


def with_options(base: Config, device: str | None, settings: dict[str, str | None]) -> Config:
    """Put a device and settings in the place of ``base``'s, for a command without axes."""
    sweep = base.sweep if device is None else replace(base.sweep, device=_device(device))
    return replace(base, sweep=sweep, settings=_with_options(base.settings, settings))


def with_plugins(configured: Config, plugins: Sequence[str] | None) -> Config:
    """Put the plugin files of the command line in the place of a file's own; UsageError where one is missing."""
    if plugins:
        configured = replace(configured, settings=replace(configured.settings, plugins=tuple(plugins)))
    refuse_missing(configured.settings.plugins)
    return configured


def refuse_missing(plugins: Iterable[str]) -> None:
    """Refuse a plugin file that is not there, before a worker is started for it."""
    for plugin in plugins:
        if not Path(plugin).expanduser().is_file():
            raise UsageError("--plugin", f"there is no file {plugin}", "give a Python file with @register")


def _device(text: str) -> str:
    from bench.errors import nearest
    from bench.plan.problem import DEVICES

    if text not in DEVICES:
        raise UsageError("--device", f"{text!r} is unknown", nearest(text, DEVICES))
    return text


def _with_options(settings: Settings, texts: dict[str, str | None]) -> Settings:
    from bench.plan import axes, slurm
    from bench.plan.config import FLAGS

    def shard(text: str, argument: str) -> tuple[int, int]:
        return slurm.part(os.environ, argument) if text == slurm.WORD else axes.part(text, argument)

    read = {
        **dict.fromkeys(("budget_s", "precision_percent", "cell_timeout_s"), axes.number),
        **dict.fromkeys(("passes", "seed", "threads"), axes.whole),
        **dict.fromkeys(("impl", "exclude"), axes.split),
        "shard": shard,
    }
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if text is None:
            continue
        if name == "threads" and text == "all":
            values[name] = None  # also where a file asks for fewer
        else:
            values[name] = read[name](text, FLAGS[name]) if name in read else text
    return replace(settings, **values)
