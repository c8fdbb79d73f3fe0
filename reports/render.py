"""Frames to files: the way of this floor on one page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from . import intake
from .compose import compose
from .document import Document
from .forms import html, latex, markdown, tabular
from .schema import ResultRow, SampleRow

Info = Mapping[str, Any]


class FormatError(ValueError):
    """A form of report that there is none of; one line that lists the known ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Material:
    document: Document
    results: pd.DataFrame
    infos: tuple[Info, ...]


FORMATS: dict[str, tuple[str, Callable[[_Material], str]]] = {
    "html": ("report.html", lambda material: html.text(material.document)),
    "md": ("report.md", lambda material: markdown.text(material.document)),
    "csv": ("report.csv", lambda material: tabular.csv_text(material.results)),
    "latex": ("report.tex", lambda material: latex.text(material.document)),
    "json": ("report.json", lambda material: tabular.json_text(material.results, material.infos)),
}
"""Format to its file's name and how it is written."""


def render(
    results: pd.DataFrame, samples: pd.DataFrame, info: Info | Sequence[Info], *, formats: Sequence[str], out: Path
) -> list[Path]:
    """Write a report in each of ``formats`` into the folder ``out`` and name the files.

    Parameters
    ----------
    results, samples
        Frames of ``schema.ResultRow`` and ``schema.SampleRow``, of one run or of several below each other.
    info
        ``run.json`` of the run, or of each run.

    Raises
    ------
    FormatError
        A format is unknown.
    intake.FrameError
        A frame is not what the schema says.
    """
    for name in formats:
        if name not in FORMATS:
            raise FormatError(f"unknown format {name!r}; known are {', '.join(FORMATS)}")
    infos = (info,) if isinstance(info, Mapping) else tuple(info)
    checked = intake.check(results, ResultRow)
    document = compose(checked, intake.check(samples, SampleRow), infos)
    material = _Material(document=document, results=checked, infos=infos)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name in dict.fromkeys(formats):
        file_name, write = FORMATS[name]
        written.append(_replace(out / file_name, write(material)))
    return written


def _replace(path: Path, text: str) -> Path:
    """Write a file so that no reader ever sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp makes files for their owner alone; a report is to be read.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path
