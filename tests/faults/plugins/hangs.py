"""Rows that do not come back."""

import ctypes
import re
import signal
import time

from kernels import register


@register("sleeps", devices=("cpu",))
def sleeps(x, num_groups, weight, bias, eps):
    """Sleeps for ten minutes."""
    time.sleep(600)


@register("loops", devices=("cpu",))
def loops(x, num_groups, weight, bias, eps):
    """Loops in Python."""
    while True:
        pass


@register("loops-in-c", devices=("cpu",))
def loops_in_c(x, num_groups, weight, bias, eps):
    """Loops in C and keeps the interpreter's lock."""
    re.match(r"(a+)+$", "a" * 64 + "b")


@register("deaf", devices=("cpu",))
def deaf(x, num_groups, weight, bias, eps):
    """Blocks every signal and waits in C with the interpreter's lock."""
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    ctypes.PyDLL(None).sleep(600)
