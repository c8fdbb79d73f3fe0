"""Rows that take their process down."""

import ctypes
import os
import signal
import sys

import torch.nn.functional as F

from kernels import register

_calls = {}


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _nth(name):
    _calls[name] = _calls.get(name, 0) + 1
    return _calls[name]


@register("segfaults", devices=("cpu",))
def segfaults(x, num_groups, weight, bias, eps):
    """Reads address 0."""
    ctypes.string_at(0)


@register("segfaults-later", devices=("cpu",))
def segfaults_later(x, num_groups, weight, bias, eps):
    """The same, when it is timed."""
    if _nth("segfaults-later") > 40:
        ctypes.string_at(0)
    return _right(x, num_groups, weight, bias, eps)


@register("aborts", devices=("cpu",))
def aborts(x, num_groups, weight, bias, eps):
    """Calls abort(3)."""
    os.abort()


@register("divides", devices=("cpu",))
def divides(x, num_groups, weight, bias, eps):
    """Is sent SIGFPE, as for an integer division by zero in C."""
    os.kill(os.getpid(), signal.SIGFPE)
    signal.pause()


@register("exits", devices=("cpu",))
def exits(x, num_groups, weight, bias, eps):
    """Calls os._exit."""
    os._exit(3)


@register("leaves", devices=("cpu",))
def leaves(x, num_groups, weight, bias, eps):
    """Calls sys.exit."""
    sys.exit(0)


@register("interrupts", devices=("cpu",))
def interrupts(x, num_groups, weight, bias, eps):
    """Raises KeyboardInterrupt."""
    raise KeyboardInterrupt


@register("kills-itself", devices=("cpu",))
def kills_itself(x, num_groups, weight, bias, eps):
    """Sends itself SIGKILL, while the system's memory killer took nobody."""
    os.kill(os.getpid(), signal.SIGKILL)


@register("kills-parent", devices=("cpu",))
def kills_parent(x, num_groups, weight, bias, eps):
    """Kills the process that it was forked from."""
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


@register("closes-descriptors", devices=("cpu",))
def closes_descriptors(x, num_groups, weight, bias, eps):
    """Closes every descriptor that is not its own."""
    os.closerange(3, 4096)
    return _right(x, num_groups, weight, bias, eps)


@register("closes-and-stays", devices=("cpu",))
def closes_and_stays(x, num_groups, weight, bias, eps):
    """Closes them, and does not come back."""
    os.closerange(3, 4096)
    signal.pause()
