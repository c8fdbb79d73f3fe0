"""pytest-benchmark's JSON to the frames and back.

Ours stands in ``extra_info`` under the names of the results' columns, and the harness's own facts in ``machine_info``
under ``gnbench``. A pytest run times one row after the other in one process: it has one pass, and no interval.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.record.frames import Frames, frame_of
from reports.schema import KEY_COLUMNS, PROBLEM_COLUMNS, ResultRow, SampleRow, Status, columns
from reports.views import call_seconds

FACTS = "gnbench"
_PYTEST = "pip install 'groupnorm-bench[pytest]'"
_OWN = {"latency_s", "mean_latency_s", "passes", "rounds", "speedup"}
"""Columns that are read off the statistics, whatever ``extra_info`` says."""


def is_one(path: Path) -> bool:
    """Say whether a file looks like pytest-benchmark's."""
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and isinstance(data.get("benchmarks"), list)


def read(path: Path, argument: str) -> tuple[Frames, dict[str, Any]]:
    """Read a file's benchmarks that are ours, and what ``run.json`` would say of them.

    Parameters
    ----------
    path
        What ``--benchmark-json`` or ``--benchmark-save`` wrote.
    argument
        What the user named it with, for messages.

    Raises
    ------
    UsageError
        It cannot be read, or none of its benchmarks is ours.
    """
    try:
        data = json.loads(path.read_bytes())
        benchmarks, machine = list(data["benchmarks"]), dict(data["machine_info"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(argument, f"{path} is no file of pytest-benchmark's ({error!r})", "name another") from None
    run_id = str(data.get("datetime") or path.name)
    # Of a cell that several tests have, the last.
    ours = list(
        {(*_problem(one), one["extra_info"]["implementation"]): one for one in benchmarks if _is_ours(one)}.values()
    )
    if not ours:
        mend = "write tests with the fixture group_norm_benchmark"
        raise UsageError(argument, f"none of the {len(benchmarks)} benchmarks in {path} is a GroupNorm of ours", mend)
    facts = machine.get(FACTS) or {}
    reference = str(facts.get("reference") or "native")
    medians = {
        _problem(one): one["stats"]["median"] for one in ours if one["extra_info"]["implementation"] == reference
    }
    results = frame_of(ResultRow, [_result(one, run_id, medians) for one in ours])
    samples = frame_of(SampleRow, [row for one in ours for row in _samples(one, run_id)])
    commit = data.get("commit_info") or {}
    info = {
        "run_id": run_id,
        "command": ["pytest"],
        "started": run_id,
        "settings": {"reference": reference},
        "git": {"revision": commit.get("id"), "dirty": commit.get("dirty")},
        "cpu": {"model": (machine.get("cpu") or {}).get("brand_raw")},
        "warnings": [],
        **{name: value for name, value in facts.items() if name != "reference"},
    }
    return Frames(results=results, samples=samples), info


def _is_ours(one: Mapping[str, Any]) -> bool:
    return set(KEY_COLUMNS) - {"run_id"} <= set(one.get("extra_info") or {})


def _problem(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(one["extra_info"][name] for name in PROBLEM_COLUMNS)


def _result(one: Mapping[str, Any], run_id: str, medians: Mapping[tuple[Any, ...], float]) -> ResultRow:
    stats, extra = one["stats"], one["extra_info"]
    known = {name: extra[name] for name in columns(ResultRow) if name in extra and name not in _OWN}
    reference_s = medians.get(_problem(one))
    return ResultRow(
        **(known | {"run_id": run_id, "status": extra.get("status", Status.OK)}),
        latency_s=stats["median"],
        mean_latency_s=stats["mean"],
        passes=1,
        rounds=stats["rounds"],
        speedup=reference_s / stats["median"] if reference_s and stats["median"] else None,
    )


def _samples(one: Mapping[str, Any], run_id: str) -> Iterator[SampleRow]:
    """Give a row a round; a file without its rounds (``--benchmark-save``'s own) has none."""
    stats, extra = one["stats"], one["extra_info"]
    key = {name: extra[name] for name in KEY_COLUMNS if name != "run_id"}
    for number, call_s in enumerate(stats.get("data") or ()):
        calls = int(stats.get("iterations") or 1)
        yield SampleRow(
            **key, run_id=run_id, pass_=0, launch=0, round=number, position=0, calls=calls, seconds=call_s * calls
        )


def document(frames: Frames, info: Mapping[str, Any]) -> dict[str, Any]:
    """Give a run as pytest-benchmark's JSON, every round of every pass a datum.

    Raises
    ------
    UsageError
        pytest-benchmark is not installed: its own statistics are written.
    """
    try:
        import pytest_benchmark  # noqa: PLC0415 (an extra)
        from pytest_benchmark.stats import Stats  # noqa: PLC0415
    except ImportError:
        raise UsageError("--to", "pytest-benchmark is not installed", _PYTEST) from None
    timed = frames.samples.assign(call_s=call_seconds(frames.samples))
    rounds = dict(iter(timed.groupby(["implementation", *PROBLEM_COLUMNS], sort=False)))
    benchmarks = []
    for row in _plain(frames.results):
        key = tuple(row[name] for name in ("implementation", *PROBLEM_COLUMNS))
        if row["status"] != Status.OK or key not in rounds:
            continue
        stats: Any = Stats()  # type: ignore[no-untyped-call]
        for call_s in rounds[key]["call_s"]:
            stats.update(float(call_s))
        problem = "-".join(str(row[name]) for name in PROBLEM_COLUMNS)
        name = f"test_group_norm[{row['implementation']}-{problem}]"
        benchmarks.append(
            {
                "group": problem,
                "name": name,
                "fullname": f"gnbench/{name}",
                "params": {"implementation": row["implementation"]},
                "param": f"{row['implementation']}-{problem}",
                "extra_info": {name: value for name, value in row.items() if value is not None},
                "options": {"disable_gc": True, "timer": str(row["timer"]), "warmup": True},
                "stats": stats.as_dict() | {"data": stats.data, "iterations": 1},
            }
        )
    return {
        "machine_info": _machine(info),
        "commit_info": _commit(info),
        "benchmarks": benchmarks,
        "datetime": str(info.get("started") or ""),
        "version": pytest_benchmark.__version__,
    }


def _plain(results: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(results.to_json(orient="records", double_precision=15))
    return rows


def _machine(info: Mapping[str, Any]) -> dict[str, Any]:
    host, cpu = info.get("host") or {}, info.get("cpu") or {}
    facts = {name: info.get(name) for name in ("versions", "cpu", "gpu", "host")}
    return {
        "node": "",
        "system": host.get("system"),
        "release": host.get("release"),
        "machine": host.get("machine"),
        "processor": host.get("machine"),
        "python_version": host.get("python"),
        "cpu": {"brand_raw": cpu.get("model"), "count": cpu.get("available_cores")},
        FACTS: facts | {"reference": (info.get("settings") or {}).get("reference") or "native"},
    }


def _commit(info: Mapping[str, Any]) -> dict[str, Any]:
    git = info.get("git") or {}
    return {"id": git.get("revision"), "dirty": git.get("dirty"), "time": info.get("started"), "branch": None}
