"""Sections of a study's page, each naming its view, its picture and its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from .. import quantities as q
from .. import study_views as found
from .. import tables
from ..document import Brush, Picture, Section
from ..figures import importance as importance_figure
from ..figures import norms as norms_figure
from ..figures import parallel, steps
from ..style import GREY, Look, look, looks
from ..views import records

AT = {"epochs": "fixed epochs", "updates": "fixed updates"}
MOST_CURVES = 3
"""Pictures of curves a budget: the smallest, the middle and the largest batch."""
_METHOD = (
    "Both sides of a comparison have the same seeds and the same splits; the mean of their differences has an interval"
    " by the corrected resampled t-test (Nadeau and Bengio 2003), which allows for folds that share training data, or"
    " by Student's t over the means of seeds or of folds where that is wider. Learning rates were chosen on validation"
    " data. 'Undecided' is no 'equal': the last column says which difference would have shown."
)
_AT_BATCH = "beats_at_batch"


def claims(asked: Sequence[Mapping[str, Any]]) -> Section:
    """Say each claim in a sentence, and all in a table; those of single batch sizes in the table's last column."""
    title = "The claims, checked"
    if not asked:
        return Section(key="claims", title=title)
    sentences = [str(one["sentence"]) for one in asked if one["key"] != _AT_BATCH]
    written = tables.of_pairs(
        "Questions and answers; intervals of a family of questions hold together",
        ("question", "at", "answer", "estimate", "interval", "level", "questions", "pairs", "would have shown"),
        [_claim(one) for one in asked],
    )
    sizes = [
        (str(AT.get(str(one["budget"]), "")), str(one["batch_size"]), str(one["answer"]), str(one["sentence"]))
        for one in asked
        if one["key"] == _AT_BATCH
    ]
    by_size = tables.of_pairs("Batch size by batch size", ("at", "batch size", "answer", "in words"), sizes)
    return Section(
        key="claims", title=title, prose=(*sentences, _METHOD), tables=(written, by_size) if sizes else (written,)
    )


def _claim(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(one["question"]),
        AT.get(str(one["budget"]), q.NULL),
        str(one["answer"]),
        _figure(one["estimate"], str(one["unit"])),
        _ends(one),
        q.percent(one["level"]),
        str(one["comparisons"]),
        str(one["pairs"]),
        _figure(one["smallest"], str(one["unit"])),
    )


def _figure(value: Any, unit: str) -> str:
    if q.is_null(value):
        return q.NULL
    return f"{float(value):.3f}{q.TIMES}" if unit == "ratio" else f"{100 * float(value):+.2f} points"


def _ends(one: Mapping[str, Any]) -> str:
    if q.is_null(one["low"]) or q.is_null(one["high"]):
        return q.NULL
    if one["unit"] == "ratio":
        return f"[{one['low']:.3f}, {one['high']:.3f}]"
    return f"[{100 * one['low']:+.2f}, {100 * one['high']:+.2f}]"


def everything(named: pd.DataFrame, most_rows: int | None) -> Section:
    """Show every completed trial as a line over its settings to its accuracy."""
    title = "Settings and accuracy"
    view = found.shown(named)
    if view.empty:
        return Section(key="parallel", title=title)
    placed = parallel.layout(view)
    words = found.target_words(found.target(named))
    first = records(view)[0]
    kept = view if most_rows is None else view.head(most_rows)
    cut = "" if len(kept) == len(view) else f"; the {len(kept)} most accurate of {len(view)}"
    table = tables.of_frame(
        f"Trials, the most accurate first{cut}",
        kept,
        {
            "trial": ("trial", q.count),
            "option": ("norm", None),
            "groups_word": ("groups", None),
            "implementation": ("implementation", None),
            "batch_size": ("batch size", q.count),
            "learning_rate": ("learning rate", q.count),
            "budget": ("at fixed", None),
            "purpose": ("purpose", None),
            "seed": ("seed", q.count),
            "fold": ("fold", q.count),
            "shown_accuracy": ("accuracy", _accuracy),
        },
    )
    picture = Picture(
        key="parallel",
        finding=f"Of {q.plural(len(view), 'trial')} the most accurate has {_accuracy(first['shown_accuracy'])}:"
        f" {first['option']}, batch size {first['batch_size']}, learning rate {first['learning_rate']:.2g}",
        reading=f"A line is a trial, coloured by its norm; its last axis is {words}. Lines of one tick are spread by"
        " accuracy, the best at the top. Norms without groups stand at 'no groups'.",
        draw=partial(parallel.draw, view, placed),
        table=table,
        brush=Brush(axes=placed.axes, noun="trials"),
    )
    return Section(key="parallel", title=title, pictures=(picture,))


def _accuracy(value: Any) -> str:
    return q.NULL if q.is_null(value) else f"{100 * float(value):.2f} %"


def importance(view: pd.DataFrame | None) -> Section:
    """Show how much each setting matters, with the seed as yardstick."""
    title = "Importance of each setting"
    if view is None or view.empty:
        return Section(key="importance", title=title)
    rows = records(view)
    noise = next((row for row in rows if row["variable"] == importance_figure.YARDSTICK), None)
    above = [str(row["variable"]).replace("_", " ") for row in rows if _is_above(row, noise)]
    table = tables.of_frame(
        f"Importance by {rows[0]['method']}",
        view,
        {
            "variable": ("setting", None),
            "importance": ("importance", q.percent),
            "low": ("low", q.percent),
            "high": ("high", q.percent),
            "trials": ("trials", q.count),
        },
    )
    if noise is None:
        finding = f"{rows[0]['variable']} matters most".replace("_", " ").capitalize()
    else:
        which = q.listed(above) if above else "No setting"
        finding = f"Above the noise over seeds: {which}" if above else "No setting is above the noise over seeds"
    picture = Picture(
        key="importance",
        finding=finding,
        reading=f"{str(rows[0]['method']).capitalize()}; of {found.target_words(str(rows[0]['target']))}. Norm and"
        " number of groups are one setting. The seed can explain nothing but noise: what is no longer than its bar is"
        " not shown to matter. Whiskers are 95 % intervals over seeds drawn again.",
        draw=partial(importance_figure.draw, view),
        table=table,
    )
    return Section(key="importance", title=title, pictures=(picture,))


def _is_above(row: Mapping[str, Any], noise: Mapping[str, Any] | None) -> bool:
    if noise is None or row["variable"] == importance_figure.YARDSTICK:
        return False
    low = row["importance"] if q.is_null(row["low"]) else row["low"]
    high = noise["importance"] if q.is_null(noise["high"]) else noise["high"]
    return bool(low > high)


_RANGE: dict[str, tuple[str, tables.Writer | None]] = {
    "mean": ("mean", _accuracy),
    "low": ("lowest seed", _accuracy),
    "high": ("highest seed", _accuracy),
    "seeds": ("seeds", q.count),
}


def by_batch(named: pd.DataFrame) -> Section:
    """Show accuracy against batch size, at fixed epochs and at fixed updates side by side."""
    pictures = []
    for budget in found.BUDGETS:
        view = found.by_batch(named, budget)
        if view.empty:
            continue
        drawn = view[view["option"].isin(found.drawn_options(view))]
        table = tables.of_frame(
            f"Accuracy on the test set by norm and batch size, at {AT[budget]}",
            view,
            {"option": ("norm", None), "batch_size": ("batch size", q.count), **_RANGE},
        )
        best = records(view.sort_values("mean", ascending=False, kind="stable"))[0]
        pictures.append(
            Picture(
                key=f"batch-{budget}",
                finding=f"At {AT[budget]} {best['option']} at batch size {best['batch_size']} has the highest mean,"
                f" {_accuracy(best['mean'])}",
                reading="Bands reach from the lowest seed to the highest; the highest mean is no proof, see the claims."
                " The axis may begin above what is far below the rest. Of the numbers of groups one is drawn;"
                " the table has them all.",
                draw=partial(norms_figure.draw, drawn, "batch_size", f"batch size, at {AT[budget]}"),
                table=table,
            )
        )
    return Section(key="batch-size", title="Accuracy against batch size", pictures=tuple(pictures))


def curves(named: pd.DataFrame, epochs: pd.DataFrame) -> Section:
    """Show accuracy on validation data by epoch, for some batch sizes."""
    pictures = []
    for budget in found.BUDGETS:
        sizes = sorted({int(one) for one in named.loc[named["budget"] == budget, "batch_size"]})
        for size in _ends_and_middle(sizes):
            view = found.curves(named, epochs, budget, size)
            if view["epoch"].nunique() < 2:  # a dot is no curve
                continue
            drawn = view[view["option"].isin(found.drawn_options(view))]
            pictures.append(_curve(view, drawn, budget, size))
    prose = ("Bands reach from the lowest seed to the highest, each the mean over its folds.",) if pictures else ()
    return Section(key="curves", title="Accuracy as training goes on", prose=prose, pictures=tuple(pictures))


def _curve(view: pd.DataFrame, drawn: pd.DataFrame, budget: str, size: int) -> Picture:
    last = drawn[drawn["epoch"] == drawn["epoch"].max()].sort_values("mean", ascending=False, kind="stable")
    leader = records(last)[0]
    table = tables.of_frame(
        f"Accuracy on validation data by epoch, batch size {size}, at {AT[budget]}",
        view,
        {"option": ("norm", None), "epoch": ("epoch", q.count), **_RANGE},
    )
    return Picture(
        key=f"curve-{budget}-{size}",
        finding=f"Batch size {size}, {AT[budget]}: {leader['option']} ends highest, at {_accuracy(leader['mean'])}",
        reading="The axis may begin above what is far below the rest.",
        draw=partial(norms_figure.draw, drawn, "epoch", f"epoch (batch size {size}, {AT[budget]})"),
        table=table,
    )


def _ends_and_middle(sizes: Sequence[int]) -> Iterable[int]:
    if len(sizes) <= MOST_CURVES:
        return sizes
    return sizes[0], sizes[len(sizes) // 2], sizes[-1]


def step_times(named: pd.DataFrame, remembered: Mapping[str, int], timed: pd.DataFrame | None = None) -> Section:
    """Show the time of a training step by implementation; with intervals where steps were ``timed`` apart."""
    view = found.steps(named)
    if view.empty:
        return Section(key="steps", title="Time of a training step")
    table = tables.of_frame(
        "A training step by implementation of group norm, or by norm without one: medians over trials",
        view,
        {
            "who": ("computed by", None),
            "batch_size": ("batch size", q.count),
            "step_s": ("step", q.seconds),
            "norm_share": ("norm's share", q.percent),
            "peak_bytes": ("peak memory", q.byte_count),
            "trials": ("trials", q.count),
        },
    )
    quickest = records(view[view["batch_size"] == view["batch_size"].max()].sort_values("step_s", kind="stable"))[0]
    picture = Picture(
        key="steps",
        finding=f"At batch size {quickest['batch_size']} the quickest step is that of {quickest['who']},"
        f" {q.seconds(quickest['step_s'])}",
        reading="Forward, backward and update. Medians over trials of each trial's median, of the norms that every"
        " implementation computed. Both axes are logarithmic. Dashed: norms that no row of the plugin table computes.",
        draw=partial(steps.draw, view, _step_looks(view, remembered)),
        table=table,
    )
    apart = () if timed is None or timed.empty else (_timed_apart(timed),)
    return Section(key="steps", title="Time of a training step", pictures=(picture,), tables=apart)


def _timed_apart(timed: pd.DataFrame) -> tables.Table:
    return tables.of_frame(
        "Steps timed apart from trainings, in alternating rounds on fresh workers; intervals are 95 %, between passes",
        timed.assign(option=found.options(timed)),
        {
            "option": ("norm", None),
            "implementation": ("implementation", None),
            "batch_size": ("batch size", q.count),
            "step_s": ("step", q.seconds),
            "low": ("low", q.seconds),
            "high": ("high", q.seconds),
            "speedup": ("speed-up", q.ratio),
            "speedup_low": ("low", q.ratio),
            "speedup_high": ("high", q.ratio),
            "reference": ("over", None),
            "norm_share": ("norm's share", q.percent),
        },
    )


def _step_looks(view: pd.DataFrame, remembered: Mapping[str, int]) -> dict[str, Look]:
    names = [str(name) for name in dict.fromkeys(view["who"])]
    plain = {"no norm": look(0), "batch norm": look(1)}
    grey = {name: Look(tint=GREY, marker=one.marker, sign=one.sign) for name, one in plain.items() if name in names}
    return looks([name for name in names if name not in plain], remembered) | grey


def status(trials: pd.DataFrame) -> Section:
    """Count the trials by what became of them."""
    rows = found.counts(trials)
    table = tables.of_pairs("Trials by purpose and status", ("purpose", "status", "trials", "reason"), rows)
    return Section(key="status", title="What became of the trials", tables=(table,) if rows else ())
