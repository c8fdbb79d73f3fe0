"""``gnbench baseline``: stored baselines in a folder that can be committed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from bench.gate.baseline.stored import Baseline

app = typer.Typer(help="Stored baselines, for 'gnbench gate --baseline'.", no_args_is_help=True)

_FOLDER = Path("baselines")
_NAME = re.compile(r"[\w.-]+")

Folder = Annotated[Path, typer.Option("--folder", help="Where baselines lie.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or pytest-benchmark's JSON.")]
Name = Annotated[str | None, typer.Option("--name", help="By default the run's date and revision.")]
Stored = Annotated[Path, typer.Argument(metavar="FILE", help="A stored baseline.")]
Keep = Annotated[int, typer.Option("--keep", help="How many of the newest stay.")]


@app.command("save", epilog="Example: gnbench baseline save runs/2026-11-24T201328")
def save(run: Run, name: Name = None, folder: Folder = _FOLDER) -> int:
    """Keep a run's ratios, bytes and errors as a small text file."""
    from bench.cli.show import console
    from bench.gate.baseline.taken import taken
    from bench.record.durable import replace_file

    baseline = taken(run, "RUN")
    name = name or "-".join(one for one in (baseline.taken[:10], baseline.revision) if one)
    if not _NAME.fullmatch(name):
        raise UsageError("--name", f"{name!r} is no file's name", "use letters, digits, dots and dashes")
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: file.write(baseline.text().encode()))
    except OSError as error:
        raise UsageError("--folder", f"cannot write {path} ({error.strerror})", "name another") from None
    console().print(f"{path}: {len(baseline.cells)} cells, {path.stat().st_size:,} bytes", soft_wrap=True)
    return ExitStatus.DONE


@app.command("list")
def list_(folder: Folder = _FOLDER) -> int:
    """List a folder's baselines, the newest first."""
    from bench.cli.show import console

    for path, one in _newest_first(folder):
        where = f"{one.conditions.model}, {one.conditions.threads} threads"
        console().print(f"{path}: {one.taken}, {len(one.cells)} cells, {where}", soft_wrap=True, markup=False)
    return ExitStatus.DONE


@app.command("show")
def show(file: Stored) -> int:
    """Show a baseline's conditions and cells."""
    import math
    from dataclasses import asdict

    from bench.cli.show import console
    from bench.gate.baseline.stored import read

    one, shown = read(file), console()
    said = [f"{name} {value}" for name, value in asdict(one.conditions).items()]
    shown.print(
        f"taken {one.taken} at {one.revision or 'no revision'}; {', '.join(said)}", soft_wrap=True, markup=False
    )
    for key, cell in one.cells.items():
        ratio = "no speed-up" if cell.log_speedup is None else f"speed-up {math.exp(cell.log_speedup):.3f}"
        shown.print(f"{key}: {ratio}, extra {cell.extra_bytes} B, error {cell.error_rms}", soft_wrap=True, markup=False)
    return ExitStatus.DONE


@app.command("prune")
def prune(folder: Folder = _FOLDER, keep: Keep = 10) -> int:
    """Remove all but the newest baselines."""
    from bench.cli.show import console

    if keep < 1:
        raise UsageError("--keep", f"{keep} is below 1", "give a whole number from 1")
    for path, _ in _newest_first(folder)[keep:]:
        path.unlink()
        console().print(f"removed {path}", soft_wrap=True, markup=False)
    return ExitStatus.DONE


def _newest_first(folder: Path) -> list[tuple[Path, Baseline]]:
    """Give the baselines of a folder; files of other kinds are left alone."""
    from bench.gate.baseline.stored import is_one, read

    if not folder.is_dir():
        raise UsageError("--folder", f"there is no folder {folder}", "save a baseline first")
    found = [(path, read(path)) for path in folder.glob("*.json") if is_one(path)]
    return sorted(found, key=lambda one: (one[1].taken, one[0].name), reverse=True)
