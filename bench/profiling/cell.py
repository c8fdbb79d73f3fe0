"""One cell in one process, for profilers that start their program: ``ncu``, ``nsys``.

    python -P -m bench.profiling.cell REQUEST.json

Opens the problem, checks the implementation, warms it, then makes the measured calls inside nvtx ranges of the domain
``groupnorm_bench``: ``IMPLEMENTATION PROBLEM`` and in it ``measure``. Exit status 1 where it refuses or is wrong.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from bench.devices.choice import device_named
from bench.measure.call import kernel_of
from bench.measure.opened import OpenedBlock
from bench.measure.ranges import close_visit, measured, open_visit, phase
from bench.measure.trace import repeated
from bench.plan.problem import Problem
from bench.profiling.request import read, title
from kernels import discovery
from reports.schema import Status


def main(path: Path) -> int:
    """Make the calls of a request file; give the exit status."""
    request = read(path)
    problem = Problem(**request.problem)
    row = discovery.load([request.name], [Path(plugin) for plugin in request.plugins])[request.name]
    if (refusal := row.refusal(problem)) is not None:
        return _say(f"{refusal.status}: {refusal.reason}")
    device = device_named(problem.device)
    device.prepare(request.threads)
    visit = open_visit(problem.key)
    block = OpenedBlock(
        problem,
        {request.name: kernel_of(row, problem)},
        reference=request.name,
        device=device,
        cold=False,
        seed=request.seed,
        placement=random.Random(request.seed),
    )
    with phase("check"):
        checked = block.check(request.name)
    if checked.status != Status.OK:
        return _say(f"{checked.status}: {checked.reason}")
    with phase("warm-up"):
        if row.untimed is None or row.untimed(problem) is None:
            block.warm(request.name)
    with measured(title(request.name, problem)):
        repeated(block.call(request.name), request.calls, device)
    close_visit(visit)
    return 0


def _say(line: str) -> int:
    sys.stderr.write(f"{line}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
