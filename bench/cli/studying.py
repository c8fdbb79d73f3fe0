"""What ``gnbench study`` does with its options' texts, and what it shows: read, call, say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli.study_progress import minutes
from bench.errors import UsageError
from bench.plan import axes
from bench.study import norms
from bench.study.asked import DIVERGED, TUNED, Asked

if TYPE_CHECKING:
    import pandas as pd

    from bench.study.going import Progressed
    from bench.study.study import Means, Planned, Study

FLAGS = {
    "norms": "--norm",
    "batch_sizes": "--batch-size",
    "learning_rates": "--learning-rate",
    "implementations": "--implementation",
}
_DEFAULT_IMPLEMENTATIONS = ("native", "cpp")
_RANGE = ".."


def asked(texts: Mapping[str, str | None], *, prune: bool, plugins: Sequence[str] | None, times_steps: bool) -> Asked:
    """Read the axes; UsageError names the option and the mend."""
    from bench.cli.options import refuse_missing

    given = {name: text for name, text in texts.items() if text is not None}
    read: dict[str, Any] = {name: _READERS[name](text, _flag(name)) for name, text in given.items()}
    refuse_missing(plugins or ())
    if read.get("sampler", TUNED) != TUNED:
        read.setdefault("seeds", 1)
    if ("epochs" in read) != ("updates" in read):
        read |= {name: None for name in ("epochs", "updates") if name not in read}
    elif read.get("sampler") in {"random", "tpe"} and "updates" not in read:
        read["updates"] = None
    if isinstance(rates := read.get("learning_rates"), _Range):
        read |= {"rate_range": (rates.low, rates.high), "learning_rates": Asked().learning_rates}
    read.setdefault("implementations", _DEFAULT_IMPLEMENTATIONS if read.get("sampler") is None else ("native",))
    return Asked(**read, prune=prune, plugins=tuple(plugins or ()), times_steps=times_steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Range:
    low: float
    high: float


def _flag(name: str) -> str:
    return FLAGS.get(name, f"--{name.replace('_', '-')}")


def _rates(text: str, argument: str) -> tuple[float, ...] | _Range:
    if _RANGE not in text:
        return axes.numbers(text, argument)
    low, _, high = text.partition(_RANGE)
    found = _Range(low=axes.number(low, argument), high=axes.number(high, argument))
    if found.low >= found.high:
        raise UsageError(argument, f"{text!r} does not rise", "give it as 1e-4..1e-1")
    return found


def _wholes(text: str, argument: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(axes.whole(word, argument, least=1) for word in axes.split(text, argument)))


def _count(text: str, argument: str) -> int:
    return axes.whole(text, argument, least=1)


def _text(text: str, _argument: str) -> str:
    return text


def _names(text: str, argument: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axes.split(text, argument)))


def _device(text: str, argument: str) -> str:
    (device,) = axes.words(text, ("cpu", "cuda"), argument)[:1]
    return device


_READERS: dict[str, Callable[[str, str], Any]] = {
    "norms": lambda text, argument: norms.read_list(axes.split(text, argument), argument),
    "batch_sizes": _wholes,
    "learning_rates": _rates,
    "implementations": _names,
    "seeds": _count,
    "folds": _count,
    "epochs": _count,
    "updates": _count,
    "trials": _count,
    "seed": axes.whole,
    "data": _text,
    "data_dir": _text,
    "sampler": _text,
    "device": _device,
    "log": _names,
}


def means(
    texts: Mapping[str, str | None],
    of: Asked,
    *,
    bigger: bool,
    tell: Callable[[Progressed], object],
    warn: Callable[[str], object],
) -> Means:
    """Read how a study is carried out; by default a worker for each core, or one on a GPU.

    The tutorial's steps are timed on one thread, as they are trained: two threads gain little on a step of a
    millisecond, and lose all of it where any other program is awake (15 to 90 ms a step were seen for 1).
    """
    from bench import host
    from bench.devices.environment import workers_of
    from bench.planning import threads_for
    from bench.study.study import Means

    threads, workers, budget, passes = (texts[name] for name in ("threads", "workers", "budget", "passes"))
    return Means(
        workers=workers_of(of.device, host.available_cores()) if workers is None else _count(workers, "--workers"),
        threads=threads_for(_threads(threads, bigger=bigger)),
        passes=(6 if bigger else 3) if passes is None else _count(passes, "--passes"),
        budget_s=None if budget is None else axes.number(budget, "--budget"),
        tell=tell,
        warn=warn,
    )


def _threads(text: str | None, *, bigger: bool) -> int | None:
    if text is None:
        return None if bigger else 1
    return None if text == "all" else _count(text, "--threads")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What a command ends with: lines or tables for a terminal, or one document."""

    lines: tuple[Any, ...]
    content: dict[str, Any]
    failed: tuple[str, ...] = ()
    """Implementations that were asked for by name and did not last a training, in a line each."""

    def shown(self) -> tuple[Any, ...]:
        """Give what a terminal shows."""
        return self.lines

    def to_document(self) -> dict[str, Any]:
        """Give what --json writes."""
        return self.content


def planned(of: Asked, by: Means) -> Shown:
    """Tell the plan and its cost; train nothing."""
    from bench.study.study import planned as plan_study

    made = plan_study(of, by)
    return Shown(lines=(_plan_line(made), *_plan_details(of, made)), content=_plan_document(of, made))


def _plan_line(made: Planned) -> str:
    return (
        f"{len(made.points):,} trainings of {made.data['images']:,} images ({made.data['name']});"
        f" about {minutes(made.seconds)} with {made.workers} worker{'' if made.workers == 1 else 's'}"
    )


def _plan_details(of: Asked, made: Planned) -> Iterator[str]:
    purposes = [point.purpose for point in made.points]
    yield ", ".join(f"{purposes.count(name):,} to {name}" for name in dict.fromkeys(purposes))
    yield f"norms: {', '.join(of.norms)}"
    yield f"batch sizes: {', '.join(map(str, of.batch_sizes))}"
    yield f"budgets: {', '.join(f'{length} {name}' for name, length in of.budgets)}"


def _plan_document(of: Asked, made: Planned) -> dict[str, Any]:
    return {
        "settings": of.to_dict(),
        "trainings": len(made.points),
        "seconds": made.seconds,
        "workers": made.workers,
        "data": made.data,
    }


def carried_out(
    of: Asked, by: Means, *, out: Path | None, resume: Path | None, words: Mapping[str, str | None]
) -> Shown:
    """Carry a study out, or go on with one."""
    from bench.study.study import resume as resume_study
    from bench.study.study import study

    if resume is not None:
        return _ended(resume_study(resume, by), ())
    optional = () if words["implementations"] else _DEFAULT_IMPLEMENTATIONS[1:]
    made = study(of, out=out, means=by, command=["gnbench", *sys.argv[1:]], optional=optional)
    return _ended(made, of.implementations if words["implementations"] else ())


def steps(
    network: str,
    texts: Mapping[str, str | None],
    of: Asked,
    by: Means,
    *,
    out: Path | None,
    dry_run: bool,
) -> Shown:
    """Time a training step of a bigger network."""
    from bench.cli.show import frame_records
    from bench.cli.study_tables import step_table
    from bench.study import steps as stepping

    stepping.check(network)
    for name in sorted(set(texts) - {"batch_sizes", "implementations", "device", "seed"}):
        if texts[name] is not None:
            raise UsageError(_flag(name), f"{network} is not trained", "its steps are timed: leave it out")
    asked_steps = stepping.Stepped(
        network=network,
        implementations=of.implementations,
        batch_sizes=of.batch_sizes if texts["batch_sizes"] else (),
        device=of.device,
        threads=by.threads,
        passes=by.passes,
        seed=of.seed,
        budget_s=by.budget_s,
        plugins=of.plugins,
        tell=by.tell,
        warn=by.warn,
    )
    if dry_run:
        line = f"steps of {network} with {', '.join(of.implementations)}: about {minutes(asked_steps.seconds)}"
        return Shown(lines=(line,), content={"network": network, "seconds": asked_steps.seconds})
    optional = () if texts["implementations"] else _DEFAULT_IMPLEMENTATIONS[1:]
    made = stepping.steps(asked_steps, out=out, command=["gnbench", *sys.argv[1:]], optional=optional)
    content = {"study": str(made.path), "info": made.info, "steps": frame_records(made.steps)}
    pages = (f"report: {page}" for page in made.pages)
    return Shown(lines=(step_table(made.steps), f"frames: {made.path}", *pages), content=content)


def _ended(made: Study, named: Sequence[str]) -> Shown:
    from bench.cli.show import frame_records
    from bench.cli.study_tables import summary

    lines: list[Any] = [summary(made.trials), f"frames: {made.path}"]
    lines += [f"report: {page}" for page in made.pages]
    if made.left:
        lines.append(f"{made.left:,} trainings are left; go on with 'gnbench study --resume {made.path}'")
    content = {
        "study": str(made.path),
        "info": made.info,
        "left": made.left,
        "trials": frame_records(made.trials),
        "steps": frame_records(made.steps),
    }
    return Shown(lines=tuple(lines), content=content, failed=tuple(_failed(made.trials, named)))


def _failed(trials: pd.DataFrame, named: Sequence[str]) -> Iterator[str]:
    """Say which of the named did not last a training; a loss that is no number is a learning rate's doing."""
    wrong = trials[(trials["status"] == "failed") & ~trials["reason"].str.startswith(DIVERGED, na=False)]
    for name in named:
        of_name = wrong[wrong["implementation"] == name]
        if len(of_name):
            yield f"{name}: {len(of_name)} trainings failed, the first of them: {of_name['reason'].iloc[0]}"
