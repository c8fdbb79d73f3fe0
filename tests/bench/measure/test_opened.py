"""A block in this very process, with the real device and rows that go wrong."""

import functools
import random

import pytest
import torch.nn.functional as F
from closing import closed

from bench.devices.base import Batch
from bench.devices.cpu import CpuDevice
from bench.measure import opened, ranges
from bench.measure.messages import TWIN
from bench.measure.opened import OpenedBlock
from bench.plan.problem import Problem

PROBLEM = Problem(N=2, C=8, H=6, W=6, G=4)


def open_block(device=None, cold=False, problem=PROBLEM, **kernels):
    return OpenedBlock(
        problem,
        {"native": F.group_norm, **kernels},
        reference="native",
        device=device or CpuDevice(),
        cold=cold,
        seed=1,
        placement=random.Random(1),
    )


def ready(*names, **kwargs):
    block = open_block(**kwargs)
    for name in ("native", *names):
        assert block.check(name).status == "ok"
        block.warm(name)
    return block


def test_the_reference_equals_its_own_bits_and_its_twin_is_timed():
    block = ready()
    assert block.check("native").bitwise_equal
    assert block.time(TWIN, 3, 0, verify=True).seconds > 0


def test_rounds_alternate_between_inputs_of_other_contents_and_addresses():
    seen = []

    def spying(x, *rest):
        seen.append((x.data_ptr(), x[0, 0, 0, 0].item()))
        return F.group_norm(x, *rest)

    block = ready("spying", spying=spying)
    seen.clear()
    for round_ in range(4):
        block.time("spying", 1, round_, verify=False)
    assert len(set(seen)) == 2
    assert len({address for address, _ in seen}) == len({value for _, value in seen}) == 2


def test_an_answer_left_from_the_last_call_was_poisoned():
    memory = {}

    def lazy(x, *rest):
        memory["calls"] = memory.get("calls", 0) + 1
        if memory["calls"] <= 2 or "y" not in memory:
            memory["y"] = F.group_norm(x, *rest)
        return memory["y"]

    block = open_block(lazy=lazy)
    block.check("native")
    assert block.check("lazy").status == "ok"
    block.time("lazy", 1, 1, verify=False)
    wrong = block.time("lazy", 1, 1, verify=True)
    assert wrong.status == "inconsistent"
    assert "wrong while timed" in wrong.reason


def test_who_changes_inputs_unseen_is_found_at_the_end_and_nobody_else_is_blamed():
    def scribbling(x, *rest):
        y = F.group_norm(x, *rest)
        if block_is_timed:
            x[0, 0, 0, 0] += 1
        return y

    block_is_timed = False
    block = ready("scribbling", "honest", scribbling=scribbling, honest=functools.partial(F.group_norm))
    block_is_timed = True
    block.time("scribbling", 2, 0, verify=False)
    assert block.time("honest", 2, 0, verify=True).status is None
    assert closed(block) == {"scribbling": "changed its inputs"}


@pytest.mark.parametrize("direction", ["forward", "training_forward", "backward"])
def test_memory_is_inputs_outputs_and_what_is_beyond(direction):
    problem = Problem(N=2, C=8, H=32, W=32, G=4, direction=direction)

    def wasteful(x, *rest):
        spare = x.new_empty(5 * x.numel())
        del spare
        return F.group_norm(x, *rest)

    block = open_block(problem=problem, wasteful=wasteful)
    for name in ("native", "wasteful"):
        assert block.check(name).status == "ok"
    lean, fat = block.weigh("native"), block.weigh("wasteful")
    assert lean.extra_bytes < problem.input_bytes / 10
    if direction != "backward":  # the waste is in the forward pass, which backward does not call
        assert fat.extra_bytes == 4 * problem.input_bytes
        assert fat.peak_bytes - fat.extra_bytes == lean.peak_bytes - lean.extra_bytes
    assert (lean.saved_bytes is not None) == (direction == "training_forward")


class _Traced(CpuDevice):
    """Counts whatever ranges are opened or closed while a batch is timed."""

    def __init__(self, events):
        super().__init__()
        self.events = events

    def time(self, call, calls, *, cold):
        self.events.append("timing")
        batch, output = super().time(call, calls, cold=cold)
        self.events.append("timed")
        assert isinstance(batch, Batch)
        return batch, output


def test_no_range_opens_or_closes_inside_a_timed_batch(monkeypatch):
    events = []

    class Annotation:
        def __init__(self, name, domain):
            assert domain == "groupnorm_bench"
            self.name = name

        def __enter__(self):
            events.append(f"push {self.name}")

        def __exit__(self, *_):
            events.append("pop")

    monkeypatch.setattr(ranges.nvtx, "annotate", Annotation)
    block = open_block(device=_Traced(events))
    with ranges.phase("check"):
        block.check("native")
    with ranges.phase("measure"):
        block.time("native", 2, 0, verify=True)
    batches = events[3:-1]  # more than one where another program disturbs this very test
    assert events == ["push check", "pop", "push measure", *["timing", "timed"] * (len(batches) // 2), "pop"]
    assert batches


def test_a_steady_call_is_timed_until_two_batches_agree():
    times = iter([1.0, 0.5, 0.49])
    asked = []

    class Settling(CpuDevice):
        def time(self, call, calls, *, cold):
            asked.append(calls)
            return Batch(seconds=next(times) * calls), call()

    block = open_block(device=Settling())
    block.check("native")
    assert block.warm("native").call_s == 0.49
    assert asked == [1, 1, 1]


def test_output_layout_is_told_apart():
    problem = Problem(N=2, C=8, H=6, W=6, G=4, layout="channels_last")
    block = open_block(problem=problem, converting=lambda x, *rest: F.group_norm(x.contiguous(), *rest))
    assert block.check("native").output_layout == "channels_last"
    assert block.check("converting").output_layout == "contiguous"


def test_native_has_no_answer_for_groups_of_one_element_with_one_sample():
    problem = Problem(N=1, C=4, H=1, W=1, G=4)
    variant = opened.make_variant(problem, 0, random.Random(0))
    assert variant.expected[0].shape == (1, 4, 1, 1)


def test_a_write_into_the_inputs_voids_no_other_rows_graph():
    """A version counter shared by all rows once made native's backward fail after another one's write."""
    problem = Problem(N=2, C=8, H=6, W=6, G=4, direction="backward")

    def writing(x, *rest):
        x.data[0, 0, 0, 0] += 1
        return F.group_norm(x, *rest)

    block = open_block(problem=problem, writing=writing)
    assert block.check("native").status == "ok"
    assert block.check("writing").status == "inconsistent"
    block.warm("native")
    assert block.challenge("native").status is None
    assert block.time("native", 2, 0, verify=True).status is None
    assert block.weigh("native").peak_bytes > 0
