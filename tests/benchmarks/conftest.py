"""The same problems and rows as ``gnbench run``, for pytest-benchmark.

pytest tests/benchmarks --benchmark-only
"""

from __future__ import annotations

import random

import pytest
import torch

from bench.devices.choice import device_named
from bench.host import available_cores
from bench.measure.opened import OpenedBlock
from bench.plan.config import load_preset
from bench.plan.sweep import expand
from kernels import discovery

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="session")
def device():
    made = device_named(DEVICE)
    made.prepare(available_cores())
    return made


@pytest.fixture(scope="session")
def table():
    return discovery.load()


@pytest.fixture(scope="session", params=expand(load_preset("quick").sweep).problems, ids=lambda one: one.problem.key)
def problem(request):
    return request.param.problem


@pytest.fixture
def open_block(problem, table, device):
    """Open one problem for the reference and one row; skip with the row's own reason where it takes no part."""

    def opened(name: str) -> OpenedBlock:
        row = table[name]
        if (refusal := row.refusal(problem)) is not None:
            pytest.skip(refusal.reason)
        if row.untimed is not None and (reason := row.untimed(problem)) is not None:
            pytest.skip(reason)
        return OpenedBlock(
            problem,
            {"native": table["native"].call, name: row.call},
            reference="native",
            device=device,
            cold=False,
            seed=problem.seed(0),
            placement=random.Random(0),
        )

    return opened
