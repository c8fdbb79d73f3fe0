"""How fast the row cpp is beside native and a plain clone, on the CPU: geometric means by class.

Forward, or with ``--direction backward`` the backward pass alone: dx, dweight and dbias, by autograd on both.

Calls of the three alternate in one process, and ratios are of medians. Memory is reused, as in the suite's own runs;
``--fresh`` lets the allocator give each large output back, so that page faults are part of a call.

    python docs/measurements/cpp_speed.py --dtype float32 --layout contiguous --activation none --rounds 15
"""

# ruff: noqa: T201, PLW0108 (a script: it prints its table)
from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_REUSED = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
    "MALLOC_TOP_PAD_": "67108864",
}

# (shape, groups): what real models ask for, then odd sizes and every number of channels a group.
MODELS = [
    ((2, 320, 64, 64), 32),
    ((2, 640, 32, 32), 32),
    ((2, 1280, 16, 16), 32),
    ((2, 1280, 8, 8), 32),
    ((2, 320, 128, 128), 32),
    ((32, 64, 112, 112), 32),
    ((32, 256, 56, 56), 32),
    ((32, 512, 28, 28), 32),
    ((32, 2048, 7, 7), 32),
    ((1, 512, 128, 128), 32),
    ((1, 256, 512, 512), 32),
    ((1, 128, 512, 512), 32),
    ((1, 1, 80, 170, 170), 1),
    ((4096, 2048), 32),
    ((1, 512, 31999), 512),
    ((2, 64, 12000), 1),
    ((128, 32, 28, 28), 8),
    ((64, 32, 13, 13), 8),
]
ODD = [
    *(((8, 8 * d, 31, 33), 8) for d in (1, 2, 3, 5, 10, 12, 20, 30, 33)),
    ((8, 40, 72, 72), 10),
    ((8, 136, 36, 36), 8),
    ((32, 1392, 9, 9), 16),
    ((1, 32, 1, 1), 8),
    ((4, 128, 4, 4), 32),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One problem and the median seconds of each side."""

    label: str
    bytes: int
    native: float
    ours: float
    clone: float


def main() -> None:
    """Measure what the arguments choose and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (
        ("dtype", "float32,bfloat16,float16"),
        ("layout", "contiguous,channels_last"),
        ("activation", "none,silu"),
    ):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--shapes", default="models", choices=("models", "odd", "all"))
    parser.add_argument("--direction", default="forward", choices=("forward", "backward"))
    parser.add_argument("--only", type=int, help="the number of one shape in the list")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    if not options.fresh and any(os.environ.get(name) != value for name, value in _REUSED.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | _REUSED)  # noqa: S606 (glibc reads it once)
    shapes = {"models": MODELS, "odd": ODD, "all": MODELS + ODD}[options.shapes]
    if options.only is not None:
        shapes = [shapes[options.only]]
    for dtype in options.dtype.split(","):
        for layout in options.layout.split(","):
            for activation in options.activation.split(","):
                report(f"{dtype} {layout} {activation}", shapes, (dtype, layout, activation), options)


def report(title: str, shapes: list, kind: tuple[str, str, str], options: argparse.Namespace) -> None:
    """Print one class: each cell, and the geometric means."""
    cells = [cell for shape, groups in shapes if (cell := measure(shape, groups, kind, options))]
    if not cells:
        return
    print(f"{title:40s} {'native us':>10s} {'cpp us':>9s} {'clone us':>9s} {'speed-up':>8s} {'of clone':>8s}")
    for cell in cells:
        times = f"{cell.native * 1e6:10.1f} {cell.ours * 1e6:9.1f} {cell.clone * 1e6:9.1f}"
        print(f"  {cell.label:38s} {times} {cell.native / cell.ours:8.2f} {cell.ours / cell.clone:8.2f}")
    speedup = geometric_mean([cell.native / cell.ours for cell in cells])
    least = min(cell.native / cell.ours for cell in cells)
    large = [cell.ours / cell.clone for cell in cells if cell.bytes >= 1 << 20] or [math.nan]
    print(f"  geometric mean {speedup:.2f}, least {least:.2f}; of clone from 1 MB {geometric_mean(large):.2f}", end="")
    print(f", most {max(large):.2f}", flush=True)


def geometric_mean(values: list[float]) -> float:
    """Give the geometric mean of positive values."""
    return math.exp(statistics.fmean(map(math.log, values)))


def measure(
    shape: tuple[int, ...], groups: int, kind: tuple[str, str, str], options: argparse.Namespace
) -> Cell | None:
    """Time one problem; None where the shape has no such layout."""
    import torch  # noqa: PLC0415 (after the environment is set)
    from torch.nn import functional  # noqa: PLC0415

    from kernels import discovery  # noqa: PLC0415

    dtype, layout, activation = kind
    if options.threads:
        torch.set_num_threads(options.threads)
    x = torch.randn(shape).to(getattr(torch, dtype))
    if layout == "channels_last":
        if len(shape) not in (4, 5):
            return None
        x = x.contiguous(memory_format=torch.channels_last if len(shape) == 4 else torch.channels_last_3d)
    weight, bias = torch.randn(2, shape[1]).to(x.dtype)
    after = {"none": lambda y: y, "silu": functional.silu, "relu": functional.relu}[activation]
    row = discovery.load(["cpp"])["cpp"].call
    sides: dict[str, Callable[[], torch.Tensor]] = {
        "native": lambda: after(functional.group_norm(x, groups, weight, bias, 1e-5)),
        "ours": lambda: row(x, groups, weight, bias, 1e-5, activation=activation),
        "clone": lambda: x.clone(),
    }
    if options.direction == "backward":
        inputs = [tensor.requires_grad_() for tensor in (x, weight, bias)]
        sides |= {name: backward_of(sides[name](), inputs) for name in ("native", "ours")}
        sides["clone"] = x.detach().clone
        medians = alternate(sides, options.rounds)
    else:
        with torch.inference_mode():
            medians = alternate(sides, options.rounds)
    label = "x".join(map(str, shape)) + f" G={groups}"
    return Cell(label=label, bytes=x.numel() * x.element_size(), **medians)


def backward_of(y: torch.Tensor, inputs: list[torch.Tensor]) -> Callable[[], object]:
    """Give a call of the backward pass behind ``y``, whose graph is kept."""
    import torch  # noqa: PLC0415

    dy = torch.randn_like(y)  # in y's memory format, as a model's comes
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def alternate(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Give the median seconds of a call of each side, called by turns."""
    calls = {}
    for name, call in sides.items():
        call()
        once = seconds(call, 1)
        calls[name] = max(1, min(200, int(3e-4 / once)))
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            taken[name].append(seconds(call, calls[name]))
    return {name: statistics.median(values) for name, values in taken.items()}


def seconds(call: Callable[[], object], calls: int) -> float:
    """Time a call, the mean of several."""
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - begin) / calls


if __name__ == "__main__":
    main()
