"""What everybody shares: seen, named and put back."""

import os

import pytest
import torch

from bench.measure import state

CHANGES = {
    "the default dtype": lambda: torch.set_default_dtype(torch.float64),
    "deterministic algorithms": lambda: torch.use_deterministic_algorithms(True, warn_only=True),
    "the float32 matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "how numbers are rounded or denormals flushed": lambda: torch.set_flush_denormal(True),
    "the working directory": lambda: os.chdir("/"),
    "the environment of thread pools and libraries": lambda: os.environ.update(OMP_PROC_BIND="true"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_named_and_put_back(what):
    before = state.take()
    CHANGES[what]()
    try:
        assert state.changes(before, state.take()) == f"changed {what}, which is everybody's"
    finally:
        assert state.restore(before)
    assert state.changes(before, state.take()) is None


def test_several_changes_are_all_named():
    before = state.take()
    CHANGES["the default dtype"]()
    CHANGES["the working directory"]()
    told = state.changes(before, state.take())
    assert state.restore(before)
    assert told == "changed the default dtype and the working directory, which are everybody's"


def test_what_cannot_be_put_back_is_said():
    before = state.take()
    mode = torch.inference_mode()
    mode.__enter__()
    try:
        assert not state.restore(before)
    finally:
        mode.__exit__(None, None, None)
    assert state.restore(before)


def test_the_global_random_generator_may_be_seeded():
    before = state.take()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        assert state.changes(before, state.take()) is None
