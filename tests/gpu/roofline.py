"""What physics lets a GroupNorm cell take on a device: a model of bytes, copy rate, launches, L2 and shared memory.

    python tests/gpu/roofline.py > docs/measurements/…-predicted-unmeasured.md

    seconds = sum over a kernel's phases of (phase_s + bytes / rate) + launches * launch_s + what a barrier leaves open

``rate`` is a copy's (bytes read and written), and what a second, backward walk finds in L2 comes at L2's rate. A work
item (a group, or for channels_last a tile of channels in whole sectors) is held in registers or shared memory where it
fits, and then read once; else twice. Rates are full while ``BUSY`` of the multiprocessors work. Native's one block a
group is bound by its scalar loop. The constants are from public figures, named where they stand; none is fitted to a
measurement of our kernels: there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.plan.problem import ITEM_BYTES, Problem

IMPLEMENTATIONS = ("cuda", "triton", "compiled", "native")
BUSY = 0.7
"""So much of the multiprocessors saturates memory: 17 to 24 KB in flight each (650 ns) are less than they can hold."""
_SECTOR = 64
_WALK_L2 = 0.6  # of L2 is left of what the first walk read last; the rest went to the second's own lines
_TRITON_HELD = 128 * 1024
_NATIVE_ELEMENTS_PER_S = 1.2e9
"""Of a block of native's RowwiseMoments: 4,714 us are published for HunyuanVideo's cell, 13,711 us for LTX-2's."""
_NATIVE_BLOCKS = 4  # of 512 threads on a multiprocessor
_PHASE_S = 0.7e-6  # a first load from cold memory
_BARRIER_S = 1.5e-6  # of all blocks of a cooperative grid


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A GPU: rates in bytes a second, sizes in bytes."""

    name: str
    copy_rate: float
    l2_bytes: float
    l2_rate: float
    multiprocessors: int
    shared_bytes: int
    launch_s: float = 1.3e-6
    """Of a small kernel in a CUDA graph."""


H100 = Device(
    name="H100", copy_rate=3.0e12, l2_bytes=50e6, l2_rate=5.5e12, multiprocessors=132, shared_bytes=220 * 1024
)
H200 = Device(
    name="H200", copy_rate=4.3e12, l2_bytes=60e6, l2_rate=5.5e12, multiprocessors=132, shared_bytes=220 * 1024
)


def held_bytes(problem: Problem) -> int:
    """Give what one work item must hold to be read once: of x, and of dy backward."""
    item, channels = ITEM_BYTES[problem.dtype], problem.C // problem.G
    if problem.layout == "channels_last" and problem.H * problem.W > 1:
        channels = min(problem.C, math.lcm(channels * item, _SECTOR) // item)
    return channels * problem.H * problem.W * item * (2 if problem.direction == "backward" else 1)


def group_class(problem: Problem, device: Device = H100) -> str:
    """Give the class of the table of goals: A one multiprocessor, B a cluster of 16, C all of them, D more."""
    held = held_bytes(problem)
    if held <= device.shared_bytes:
        return "A"
    if held <= 16 * device.shared_bytes:
        return "B"
    if held <= 14e6:
        return "C"
    return "C28" if held <= 28e6 else "D"


def copy_s(bytes_: float, device: Device) -> float:
    """Give a copy kernel's time for so many bytes, read and written together."""
    return device.launch_s + _PHASE_S + bytes_ / device.copy_rate


def predict(problem: Problem, implementation: str, device: Device) -> float:
    """Give the seconds that a call of ``implementation`` should take, cold.

    Raises
    ------
    ValueError
        The model knows no such implementation.
    """
    if implementation == "cuda":
        return _cuda(problem, device)
    if implementation == "triton":
        return _triton(problem, device)
    if implementation == "compiled":
        return _twice(problem, device, launches=2, backwards=False)
    if implementation == "native":
        return _native(problem, device)
    raise ValueError(f"implementation {implementation!r}: only {', '.join(IMPLEMENTATIONS)}")


def fraction(problem: Problem, implementation: str, device: Device) -> float:
    """Give a copy's time over the prediction, for the fewest bytes that the problem must move."""
    return copy_s(problem.minimum_bytes, device) / predict(problem, implementation, device)


def _items(problem: Problem) -> int:
    share = 2 if problem.direction == "backward" else 1
    return max(1, round(problem.input_bytes * share / held_bytes(problem)))


def _parameters_s(problem: Problem, device: Device) -> float:
    """Give the launch that adds up dweight and dbias from 8 bytes a sample and channel."""
    if problem.direction != "backward":
        return 0.0
    return device.launch_s + _PHASE_S + 8 * problem.N * problem.C / device.copy_rate


def _streamed_s(bytes_: float, items: int, slots: float, device: Device) -> float:
    """Give the time of equal items in waves of ``slots``; the last wave may leave multiprocessors idle."""
    last = items % slots or slots
    full = items - last
    return bytes_ / items / device.copy_rate * (full + last / min(1.0, last / slots / BUSY))


def _once(problem: Problem, blocks: int, device: Device) -> float:
    """Give one launch that reads once, ``blocks`` multiprocessors an item."""
    items = _items(problem)
    slots = device.multiprocessors // blocks
    return device.launch_s + 2 * _PHASE_S + _streamed_s(problem.minimum_bytes, items, slots, device)


def _twice(problem: Problem, device: Device, *, launches: int, backwards: bool) -> float:
    """Give statistics and apply: every input read twice, the second time backwards from what is left in L2."""
    inputs = problem.input_bytes * (2 if problem.direction == "backward" else 1)
    again = min(float(inputs), _WALK_L2 * device.l2_bytes) if backwards else 0.0
    memory = problem.minimum_bytes + inputs - again
    return launches * (device.launch_s + _PHASE_S) + memory / device.copy_rate + again / device.l2_rate


def _cuda(problem: Problem, device: Device) -> float:
    held, kind = held_bytes(problem), group_class(problem, device)
    more = _parameters_s(problem, device)
    if kind in {"A", "B"}:
        cluster = 1 << max(0, math.ceil(math.log2(held / device.shared_bytes)))
        return _once(problem, cluster, device) + more
    if kind == "D":
        return _twice(problem, device, launches=2, backwards=True) + more
    # With two groups on chip the barrier hides behind loads; with one it and the ramp are waited for each time.
    exposed = 1 if kind == "C" else _items(problem)
    return device.launch_s + exposed * (_BARRIER_S + _PHASE_S) + problem.minimum_bytes / device.copy_rate + more


def _triton(problem: Problem, device: Device) -> float:
    more = _parameters_s(problem, device)
    if held_bytes(problem) <= _TRITON_HELD:
        return _once(problem, 1, device) + more
    return _twice(problem, device, launches=3, backwards=True) + more


def _native(problem: Problem, device: Device) -> float:
    """Give eager's kernels: channels_last is made contiguous first, an activation is a kernel of its own."""
    size = problem.input_bytes
    is_backward = problem.direction == "backward"
    waves = math.ceil(problem.N * problem.G / (device.multiprocessors * _NATIVE_BLOCKS))
    loop = waves * problem.group_elements / _NATIVE_ELEMENTS_PER_S
    inputs = size * (2 if is_backward else 1)
    seconds = max(inputs / device.copy_rate, 0.0 if is_backward else loop)
    seconds += (problem.minimum_bytes + (2 * inputs if problem.layout == "channels_last" else 0)) / device.copy_rate
    launches = 5 if is_backward else 3
    if problem.activation != "none":
        seconds += (3 if is_backward else 2) * size / device.copy_rate
        launches += 1
    return seconds + launches * (device.launch_s + _PHASE_S)


_HEAD = """# Predicted, unmeasured: the cells of the GPU goals by the roofline model

Nothing here was measured. `python tests/gpu/roofline.py` wrote it from bytes, copy rates of 3.0 TB/s (H100) and 4.3
TB/s (H200), launches, L2 and shared memory: see that file. `tests/gpu/measure.sh` measures the same cells on a GPU and
lays its figures beside these. Microseconds, cold, with SiLU but for KernelBench (of native a kernel of its own)."""


def main() -> None:
    """Write the predictions for the cells of the goals as markdown."""
    from goals import cells  # it reads this module

    print(_HEAD)
    for device in (H100, H200):
        print(f"\n## {device.name}\n")
        print("| cell | layout | direction | class | copy | " + " | ".join(IMPLEMENTATIONS) + " | cuda, of copy |")
        print("| --- | --- | --- | --- | ---: |" + " ---: |" * (len(IMPLEMENTATIONS) + 1))
        for name, problem in cells():
            times = [copy_s(problem.minimum_bytes, device), *(predict(problem, one, device) for one in IMPLEMENTATIONS)]
            figures = " | ".join(f"{time * 1e6:,.1f}" for time in times)
            print(
                f"| {name} | {problem.layout} | {problem.direction} | {group_class(problem, device)} | {figures} "
                f"| {fraction(problem, 'cuda', device):.2f} |"
            )


if __name__ == "__main__":
    main()
