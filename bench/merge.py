"""The parts of a sweep that were measured apart, joined to one run directory.

A block is measured whole in one part, so every interval, speed-up and noise floor stands as it is. The rows get one
run_id, that of the joined run: reports tell runs of different ids apart, and these parts are one sweep on equal
machines, which is proven first. Each part's own id stays in ``run.json``. Launches are numbered on from part to part.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.about import new_run_id
from bench.errors import UsageError
from bench.identity import changes
from bench.plan.config import Settings
from bench.plan.sweep import Sweep, expand
from bench.record import frames, rundir
from bench.record.durable import told_when_unwritable
from bench.record.frames import Writer
from bench.record.rundir import RESULTS, SAMPLES, RunDirectory
from bench.totals import totals
from reports import render
from reports.schema import PROBLEM_COLUMNS

_OWN = frozenset({"variable CUDA_VISIBLE_DEVICES", "variable NVIDIA_VISIBLE_DEVICES"})
"""What a job's scheduler changes, and no figure hangs on."""
_BATCH_ROWS = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of a sweep."""

    path: Path
    info: Mapping[str, Any]

    @property
    def place(self) -> int:
        """Which part it is, from 1."""
        return int(self.info["settings"]["shard"][0])

    @property
    def of(self) -> int:
        """How many there are."""
        return int(self.info["settings"]["shard"][1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Parts of a sweep that are not there yet."""

    places: tuple[int, ...]
    of: int
    commands: tuple[str, ...]
    """What measures them, one each, as a shell takes it."""


def read_parts(paths: Sequence[Path]) -> list[Part]:
    """Open the parts of one sweep, in their order.

    Raises
    ------
    UsageError
        One is no part, is not finished, is there twice, or was measured otherwise than the first: the message names
        the first difference and where it is.
    """
    parts = [_part(path) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        if (difference := _difference(first, part)) is not None:
            found = f"{part.path} and {first.path} are not of one sweep: {difference}"
            raise UsageError("PART", found, "merge parts that were measured alike")
    seen: dict[int, Part] = {}
    for part in parts:
        if part.place in seen:
            found = f"{part.path} and {seen[part.place].path} are both part {part.place} of {part.of}"
            raise UsageError("PART", found, "name each part once")
        seen[part.place] = part
    return [seen[place] for place in sorted(seen)]


def missing(parts: Sequence[Part]) -> Missing | None:
    """Say which parts are not among these, and what measures them; None when the sweep is whole."""
    first = parts[0]
    have = {part.place for part in parts}
    places = tuple(place for place in range(1, first.of + 1) if place not in have)
    if not places:
        return None
    return Missing(places=places, of=first.of, commands=tuple(_command(first, place) for place in places))


def merge(parts: Sequence[Part], out: Path, command: Sequence[str] = ()) -> RunDirectory:
    """Join the parts of a whole sweep; the run directory appears when it is complete.

    Raises
    ------
    UsageError
        ``out`` is there already, or cannot be written.
    DamagedRun
        A part's frames cannot be read.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("--out", f"{out} is not empty", "name another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise UsageError("--out", f"cannot write to {out} ({error.strerror})", "name another folder") from None
    try:
        with told_when_unwritable(out, "then merge again"):
            unfinished.chmod(0o755)
            directory = rundir.create(unfinished, _info(parts, command))
            _write_frames(directory, parts)
            written = frames.read(unfinished)
            sweep = Sweep.from_dict(directory.info()["sweep"])
            reference = directory.info()["settings"]["reference"]
            directory.update(totals=[total.to_dict() for total in totals(sweep, written, reference)])
            info = directory.info()
            render.render(written.results, written.samples, info, formats=("html", "md"), out=unfinished)
            unfinished.replace(out)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return RunDirectory(path=out)


def _part(path: Path) -> Part:
    info = rundir.open_run(path, "PART").info()
    shard = (info.get("settings") or {}).get("shard")
    if not shard:
        raise UsageError("PART", f"{path} is no part of a sweep", "name runs made with --shard")
    if not info.get("finished"):
        raise UsageError("PART", f"{path} is not finished", f"finish it with 'gnbench run --resume {path}'")
    return Part(path=path, info=info)


def _difference(first: Part, other: Part) -> str | None:
    """Name the first thing in which two parts differ, None when they are of one sweep, measured alike."""
    if first.of != other.of:
        return f"one is part {other.place} of {other.of}, the other {first.place} of {first.of}"
    for name in ("format_version", "sweep", "names", "timer"):
        if first.info.get(name) != other.info.get(name):
            return f"{name} is {_short(other.info.get(name))} and {_short(first.info.get(name))}"
    ours, theirs = first.info["settings"], other.info["settings"]
    for name in dict.fromkeys((*ours, *theirs)):
        if name != "shard" and ours.get(name) != theirs.get(name):
            return f"settings.{name} is {_short(theirs.get(name))} and {_short(ours.get(name))}"
    then, now = (
        {name: value for name, value in (part.info.get("environment") or {}).items() if name not in _OWN}
        for part in (first, other)
    )
    return next(iter(changes(then, now)), None)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _command(part: Part, place: int) -> str:
    """Make the command of a part that is missing from that of one that is there."""
    words = list(part.info.get("command") or ()) or ["gnbench", "run"]
    kept, skip = [], False
    for word in words:
        if skip or word.split("=")[0] in {"--shard", "--out"}:
            skip = not skip and "=" not in word
            continue
        kept.append(word)
    out = part.path.with_name(f"part-{place}-of-{part.of}")
    return shlex.join([*kept, "--shard", f"{place}/{part.of}", "--out", str(out)])


def _info(parts: Sequence[Part], command: Sequence[str]) -> dict[str, Any]:
    first = parts[0].info
    sums: dict[str, float] = {}
    for part in parts:
        for name, value in (part.info.get("cost") or {}).items():
            sums[name] = sums.get(name, 0.0) + value
    if "harness_fraction" in sums:
        sums["harness_fraction"] /= len(parts)
    problems = {one["key"]: one for part in parts for one in part.info.get("problems") or ()}
    order = [one.problem.key for one in expand(Sweep.from_dict(first["sweep"])).problems]
    settings = Settings.from_dict(first["settings"]).to_dict() | {"shard": None}
    return {
        **{name: value for name, value in first.items() if name not in {"resumed", "interrupted", "stretches"}},
        "run_id": new_run_id(datetime.now(UTC)),
        "command": list(command),
        "started": min(part.info["started"] for part in parts),
        "finished": max(part.info["finished"] for part in parts),
        "settings": settings,
        "problems": [problems[key] for key in order if key in problems],
        "warnings": list(dict.fromkeys(line for part in parts for line in part.info.get("warnings") or ())),
        "cost": sums,
        "parts": [
            {
                "part": part.place,
                "run_id": part.info["run_id"],
                "started": part.info["started"],
                "finished": part.info["finished"],
                "command": part.info.get("command"),
                "resumed": part.info.get("resumed") or [],
                "load": part.info.get("load"),
            }
            for part in parts
        ],
    }


def _write_frames(directory: RunDirectory, parts: Sequence[Part]) -> None:
    """Write results in the sweep's order; samples part after part, a row group at a time."""
    info = directory.info()
    results = pa.concat_tables([_table(part.path / RESULTS) for part in parts])
    with Writer(directory.path) as writer:
        writer.add_tables(_one_run(_in_order(results, info), info["run_id"]), None)
        launches = 0
        for part in parts:
            most = -1
            for samples in _batches(part.path / SAMPLES):
                own = samples["launch"]
                most = max(most, pc.max(own).as_py())
                place = samples.schema.get_field_index("launch")
                moved = samples.set_column(place, samples.schema.field(place), pc.add(own, launches))
                writer.add_tables(None, _one_run(moved, info["run_id"]))
            launches += most + 1


def _in_order(results: pa.Table, info: Mapping[str, Any]) -> pa.Table:
    """Put the rows in the order of the sweep; those of one problem stay as its part had them."""
    sweep = expand(Sweep.from_dict(info["sweep"])).problems
    place = {tuple(one.problem.to_dict()[name] for name in PROBLEM_COLUMNS): row for row, one in enumerate(sweep)}
    keys = zip(*(results[name].to_pylist() for name in PROBLEM_COLUMNS), strict=True)
    places = [place[key] for key in keys]
    return results.take(pa.array(sorted(range(len(places)), key=places.__getitem__), pa.int64()))


def _one_run(table: pa.Table, run_id: str) -> pa.Table:
    place = table.schema.get_field_index("run_id")
    return table.set_column(place, table.schema.field(place), pa.array([run_id] * table.num_rows, pa.string()))


def _table(path: Path) -> pa.Table:
    return pa.Table.from_batches(_opened(path).iter_batches(_BATCH_ROWS), schema=_opened(path).schema_arrow)


def _batches(path: Path) -> Iterator[pa.Table]:
    for batch in _opened(path).iter_batches(_BATCH_ROWS):
        yield pa.Table.from_batches([batch])


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UsageError("PART", f"{path} cannot be read ({error})", "restore it, or measure the part anew") from None
