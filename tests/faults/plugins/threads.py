"""Rows whose threads go on when their call has returned."""

import threading
import time

import torch
import torch.nn.functional as F

from kernels import register

_started = {}


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _compute():
    while True:
        torch.ones(1 << 16).sum()


def _sleep_and_compute():
    time.sleep(0.2)
    _compute()


@register("computes-on", devices=("cpu",))
def computes_on(x, num_groups, weight, bias, eps):
    """Leaves a thread that computes for ever."""
    if "computes-on" not in _started:
        _started["computes-on"] = threading.Thread(target=_compute, daemon=True)
        _started["computes-on"].start()
    return _right(x, num_groups, weight, bias, eps)


@register("computes-later", devices=("cpu",))
def computes_later(x, num_groups, weight, bias, eps):
    """Leaves a thread that sleeps at first, and then computes in other rows' time."""
    if "computes-later" not in _started:
        _started["computes-later"] = threading.Thread(target=_sleep_and_compute, daemon=True)
        _started["computes-later"].start()
    return _right(x, num_groups, weight, bias, eps)


@register("lingers", devices=("cpu",))
def lingers(x, num_groups, weight, bias, eps):
    """Returns while a thread of its own still sleeps for 5 ms."""
    threading.Thread(target=time.sleep, args=(0.005,)).start()
    return _right(x, num_groups, weight, bias, eps)


@register("answers-late", devices=("cpu",))
def answers_late(x, num_groups, weight, bias, eps):
    """Returns empty memory at once; a thread fills it 20 ms later."""
    y = torch.full_like(x, torch.nan)

    def fill():
        time.sleep(0.02)
        y.copy_(_right(x, num_groups, weight, bias, eps))

    threading.Thread(target=fill).start()
    return y
