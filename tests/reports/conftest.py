"""Synthetic frames: eight problems, six implementations, every kind of status, figures that fit each other."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from reports.schema import ResultRow, SampleRow, Status, to_record

SHAPES = (
    (1, 320, 32, 32, 32, "float32"),
    (2, 320, 32, 32, 32, "float32"),
    (4, 320, 32, 32, 32, "float32"),
    (2, 640, 32, 32, 32, "float32"),
    (2, 320, 64, 64, 32, "float32"),
    (2, 320, 32, 32, 1, "float32"),
    (2, 320, 32, 32, 320, "bfloat16"),
    (1, 128, 128, 128, 8, "float32"),
)
SPEEDUPS = {"native": 1.0, "naive": 0.08, "compiled": 1.35, "cpp": 1.7, "cuda": None, "triton": None}
PASSES, ROUNDS = 6, 8


@dataclass(frozen=True, kw_only=True)
class Frames:
    results: pd.DataFrame
    samples: pd.DataFrame
    info: dict[str, Any]


def make_frames(run_id: str = "run-a", shapes: tuple[tuple[Any, ...], ...] = SHAPES, seed: int = 1) -> Frames:
    """A whole run: cuda is unavailable, triton interpreted, cpp wrong on one problem, compiled dies on another."""
    draw = random.Random(seed)
    results, samples = [], []
    for place, (N, C, H, W, G, dtype) in enumerate(shapes):
        size = 2 if dtype == "bfloat16" else 4
        key = {"run_id": run_id, "device": "cpu", "N": N, "C": C, "H": H, "W": W, "G": G, "dtype": dtype}
        key |= {"weight_dtype": dtype, "affine": True, "eps": 1e-5, "layout": "contiguous"}
        key |= {"direction": "forward", "activation": "silu"}
        minimum = 2 * N * C * H * W * size + 2 * C * size
        native = 4e-6 + minimum / 8e9
        floor = draw.uniform(0.002, 0.03)
        for name, base in SPEEDUPS.items():
            row = _result(key, name, base, place, minimum, native, floor, draw)
            results.append(row)
            if row.latency_s is not None:
                samples += _samples(key, name, row.latency_s, floor, draw)
        samples += _samples(key, "@twin", native, floor, draw) + _samples(key, "@copy", native / 2, floor, draw)
    return Frames(
        results=pd.DataFrame([to_record(row) for row in results]),
        samples=pd.DataFrame([to_record(row) for row in samples]),
        info=make_info(run_id),
    )


def _result(  # noqa: PLR0917 - read in one place
    key, name, base, place, minimum, native, floor, draw
) -> ResultRow:
    key = key | {"implementation": name}
    if name == "cuda":
        return ResultRow(**key, status=Status.UNAVAILABLE, reason="no CUDA device on this machine")
    if name == "triton":
        if place == 6:
            return ResultRow(**key, status=Status.UNSUPPORTED, reason="G = C is not taken | yet")
        return ResultRow(**key, status=Status.OK, reason="interpreted: no latency", error_max_abs=4e-7, error_ulp=0.9)
    if name == "cpp" and place == 3:
        return ResultRow(**key, status=Status.INCORRECT, reason="error 3.2e+01 ULP at (0, 1, 2, 3)", error_ulp=32.0)
    if name == "compiled" and place == 5:
        return ResultRow(**key, status=Status.CRASHED, reason="SIGSEGV in pass 2")
    ratio = base * (1.0 if name == "native" else math.exp(draw.gauss(0, 0.12)))
    if place == 1 and name in {"compiled", "cpp"}:
        ratio = {"compiled": 1.72, "cpp": 1.71}[name]
    half = 1.0 if name == "native" else 1 + draw.uniform(0.005, 0.04)
    latency = native / ratio
    return ResultRow(
        **key,
        status=Status.OK,
        timer="host",
        cache="warm",
        threads=2,
        latency_s=latency,
        latency_low_s=latency / 1.03,
        latency_high_s=latency * 1.03,
        fastest_pass_s=latency / 1.04,
        first_call_s=2.1 if name == "compiled" else latency * 40,
        passes=PASSES,
        rounds=PASSES * ROUNDS,
        outliers=draw.randrange(4),
        spread_between=draw.uniform(0.004, 0.03),
        spread_within=draw.uniform(0.01, 0.05),
        noise_floor=floor,
        speedup=ratio,
        speedup_low=ratio / half,
        speedup_high=ratio * half,
        minimum_bytes=minimum,
        bandwidth_bytes_per_s=minimum / latency,
        roofline_fraction=(minimum / 20e9 + 2e-6) / latency,
        clone_speedup=native / (minimum / 20e9 + 2e-6),
        clone_speedup_low=native / (minimum / 20e9 + 2e-6) / 1.01,
        clone_speedup_high=native / (minimum / 20e9 + 2e-6) * 1.01,
        peak_bytes=minimum * (4 if name == "naive" else 1),
        extra_bytes=minimum * 3 if name == "naive" else (8 * 64 if name == "native" else 0),
        page_faults=0.0,
        error_max_abs=3e-7,
        error_max_rel=6e-8,
        error_rms=2e-8,
        error_ulp=draw.uniform(0.5, 1.6),
        error_vs_reference=1.0 if name == "native" else draw.uniform(0.7, 1.4),
        bitwise_equal=name == "native",
        output_layout="contiguous",
    )


def _samples(key, name, seconds, floor, draw) -> list[SampleRow]:
    rows = []
    for one in range(PASSES):
        shift = math.exp(draw.gauss(0, floor / 2))
        for number in range(ROUNDS):
            took = 10 * seconds * shift * math.exp(draw.gauss(0, 0.01))
            place = {"pass_": one, "launch": one, "round": number, "position": draw.randrange(6)}
            rows.append(SampleRow(**key, implementation=name, **place, calls=10, seconds=took))
    return rows


def make_info(run_id: str = "run-a") -> dict[str, Any]:
    return {
        "format_version": 1,
        "run_id": run_id,
        "command": ["gnbench", "run", "--preset", "quick", "-C", "320,640", "--out", "my run"],
        "started": "2026-11-24T18:00:00Z",
        "finished": "2026-11-24T18:00:52Z",
        "seed": 7,
        "settings": {"budget_s": 40, "precision_percent": 1, "passes": 8, "threads": 2, "reference": "native"},
        "left_out": [{"reason": "C is not divisible by G", "count": 3, "example": "C = 100, G = 32"}],
        "git": {"revision": "0123abc", "dirty": True},
        "host": {"system": "Linux 6.1", "python": "3.11.7", "machine": "x86_64"},
        "cpu": {"model": "AMD EPYC 9R14", "logical_cores": 2, "available_cores": 2, "l2_bytes": 1 << 20},
        "gpu": [],
        "versions": {"torch": "2.13.0", "numpy": "2.3.1"},
        "load": {"before": 0.4, "after": 1.9},
        "colours": {"mine": 6},
        "warnings": ["load average 1.9 on 2 cores: another program is running"],
        "clock": {"resolution_s": 1e-9, "empty_call_s": 2.4e-7},
        "cost": {"wall_s": 52.0, "measuring_s": 38.0, "harness_fraction": 0.27},
    }


@pytest.fixture(scope="session")
def frames() -> Frames:
    return make_frames()


@pytest.fixture(scope="session")
def hostile() -> Frames:
    """A plugin whose name and reasons try everything that some form of report gives a meaning."""
    made = make_frames(shapes=SHAPES[:3])
    evil = "<script>alert(1)</script>"
    results, samples = made.results.copy(), made.samples.copy()
    results["implementation"] = results["implementation"].replace({"naive": evil, "cuda": "_$x$|`a`&{b}[bold]"})
    samples["implementation"] = samples["implementation"].replace({"naive": evil})
    results.loc[results["status"] == "unavailable", "reason"] = '"it\'s" a | pipe\n</td><img src=x onerror=alert(2)>'
    info = made.info | {"warnings": [evil, "https://example.org | ]]>"], "command": ["gnbench", "--impl", evil, "`x`"]}
    return Frames(results=results, samples=samples, info=info)
