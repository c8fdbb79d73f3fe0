"""A study's frames to its page: claims, settings against accuracy, importance, curves, times, and the facts.

``study_views`` makes the small frames, ``sections.study`` the sections; what is claimed and how important a setting is
was computed by the study and is said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from . import machine, tables
from . import quantities as q
from . import study_views as found
from .document import Document, Section
from .forms import html, markdown
from .render import _replace
from .schema import FORMAT_VERSION
from .sections import study as sections
from .style import looks

MOST_ROWS = 20
"""Trials in the Markdown form's table; the page has them all."""
_HEADLINE = "beats"


def write(
    trials: pd.DataFrame,
    epochs: pd.DataFrame,
    facts: Mapping[str, Any],
    out: Path,
    *,
    claims: Sequence[Mapping[str, Any]] = (),
    importance: pd.DataFrame | None = None,
    steps: pd.DataFrame | None = None,
) -> list[Path]:
    """Write ``report.html`` and ``report.md`` into the folder ``out`` and name the files.

    Parameters
    ----------
    trials, epochs
        One row a trial, and one an epoch of a trial.
    facts
        ``study.json``.
    out
        The folder; made where it is missing.
    claims
        A record a claim: ``key``, ``question``, ``answer``, ``sentence``, ``unit``, ``estimate``, ``low``, ``high``,
        ``level``, ``comparisons``, ``pairs``, ``smallest``, ``budget``, ``batch_size``.
    importance
        One row a setting: ``variable``, ``importance``, ``low``, ``high``, ``trials``, ``target``, ``method``.
    steps
        Where steps were timed apart: one row a norm, implementation and batch size, with ``step_s``, ``low``,
        ``high``, ``speedup`` with its interval, and the ``reference``.
    """
    out.mkdir(parents=True, exist_ok=True)
    page = compose(trials, epochs, facts, claims=claims, importance=importance, steps=steps)
    short = compose(trials, epochs, facts, claims=claims, importance=importance, steps=steps, most_rows=MOST_ROWS)
    return [_replace(out / "report.html", html.text(page)), _replace(out / "report.md", markdown.text(short))]


def compose(
    trials: pd.DataFrame,
    epochs: pd.DataFrame,
    facts: Mapping[str, Any],
    *,
    claims: Sequence[Mapping[str, Any]] = (),
    importance: pd.DataFrame | None = None,
    steps: pd.DataFrame | None = None,
    most_rows: int | None = None,
) -> Document:
    """Say everything that the page of a study says; ``most_rows`` cuts the table of trials."""
    named = found.completed(trials)
    remembered = machine.part(facts, "colours")
    info = _info(facts)
    made = (
        sections.claims(claims),
        sections.everything(named, most_rows),
        sections.importance(importance),
        sections.by_batch(named),
        sections.curves(named, epochs),
        sections.step_times(named, remembered, steps),
        sections.status(trials),
        _data(facts),
        Section(key="environment", title="Machine and study", tables=(machine.table([info]),)),
        Section(key="reproduce", title="How to reproduce", commands=machine.commands([info])),
    )
    return Document(
        title="GroupNorm study",
        subject=_subject(named, info, facts),
        sentences=_sentences(named, claims),
        strip=_strip(trials, named),
        warnings=tuple(str(word) for word in facts.get("warnings") or ()),
        sections=tuple(one for one in made if not one.is_empty),
        looks=looks(named["implementation"].dropna().unique(), remembered),
        foot=_foot(trials, facts),
    )


def _info(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Give ``study.json`` the shape of ``run.json``: the facts of the host may stand below ``host``."""
    host = found.part(facts, "host")
    info: dict[str, Any] = {
        **{name: host[name] for name in ("cpu", "gpu", "git", "load", "clock") if name in host},
        **facts,
    }
    info["host"] = found.part(host, "host") or host
    info["settings"] = found.part(facts, "settings")
    return {"started": facts.get("start"), "finished": facts.get("end"), **info}


def _subject(named: pd.DataFrame, info: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    networks = [str(one) for one in named["network"].unique()]
    data = [str(one) for one in named["data"].unique()] or [str(found.part(facts, "data").get("name") or "")]
    said = (" ".join(networks), " ".join(data), machine.processor(info))
    return " · ".join(word for word in said if word)


def _sentences(named: pd.DataFrame, claims: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    leading = [one for one in claims if one["key"] == _HEADLINE]
    rest = [one for one in claims if one["key"] in {"same_accuracy", "faster"}]
    if not leading:
        why = "no completed trial" if named.empty else "no pair of completed trials with an accuracy on the test set"
        first = f"Group norm against batch norm: nothing can be said, there is {why}."
        return (first, *(str(one["sentence"]) for one in rest))
    answers = "; ".join(f"at {sections.AT.get(str(one['budget']), '')}: {one['answer']}" for one in leading)
    return (
        f"{leading[0]['question']} {answers.capitalize()}.",
        *(str(one["sentence"]) for one in (*leading, *rest)),
    )


def _strip(trials: pd.DataFrame, named: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    tested = found.compared(named)["test_samples"].dropna()
    return (
        ("trials completed", f"{len(named)} of {len(trials)}"),
        ("norms and numbers of groups", str(named["option"].nunique())),
        ("batch sizes", str(named["batch_size"].nunique())),
        ("seeds", str(named["seed"].nunique())),
        ("folds", str(named["fold"].nunique())),
        ("test images a trial", q.count(tested.median()) if len(tested) else q.NULL),
    )


def _data(facts: Mapping[str, Any]) -> Section:
    data = found.part(facts, "data")
    rows = [(str(name).replace("_", " "), str(value)) for name, value in data.items() if not _is_nothing(value)]
    table = tables.of_pairs("The data", ("fact", "value"), rows)
    return Section(key="data", title="The data", tables=(table,) if rows else ())


def _is_nothing(value: Any) -> bool:
    return value is None or value == ""


def _foot(trials: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    studies = [str(one) for one in trials["study_id"].unique()]
    named = [f"study {q.listed(studies)}"] if studies else []
    ended = [f"finished {facts['end']}"] if facts.get("end") else []
    return " · ".join([f"format version {FORMAT_VERSION}", *named, *ended])
