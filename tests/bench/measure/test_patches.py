"""Functions that were replaced: named, and put back."""

import time

import torch
import torch.nn.functional as F

from bench.measure import opened, patches


def test_what_is_replaced_or_deleted_is_named_and_put_back():
    functions = patches.take()
    clock, judge, group_norm = time.perf_counter_ns, opened.judge, F.group_norm
    assert functions.replaced() == []
    time.perf_counter_ns = lambda: 0
    opened.judge = lambda *_: None
    del F.group_norm
    try:
        replaced = functions.replaced()
    finally:
        functions.restore()
    assert set(replaced) == {"time.perf_counter_ns", "torch.nn.functional.group_norm", "bench.measure.opened.judge"}
    assert (time.perf_counter_ns, opened.judge, F.group_norm) == (clock, judge, group_norm)
    assert functions.replaced() == []


def test_methods_of_tensors_and_of_our_own_classes_count():
    functions = patches.take()
    torch.Tensor.copy_ = lambda *_: None
    opened.OpenedBlock._held = None
    try:
        replaced = functions.replaced()
    finally:
        functions.restore()
    assert replaced == ["torch.Tensor.copy_", "bench.measure.opened.OpenedBlock._held"]


def test_the_first_is_told_and_the_others_are_counted():
    assert patches.told(["time.time", "torch.equal"]) == "replaced time.time and 1 more, which is everybody's"
