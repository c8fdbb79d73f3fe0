"""Rows that start processes and leave them. Each process notes its number in GNBENCH_TEST_PIDS, if that is set."""

import ctypes
import os
import subprocess
import time

import torch.nn.functional as F

from kernels import register


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _note(pid):
    if path := os.environ.get("GNBENCH_TEST_PIDS"):
        with open(path, "a") as file:
            file.write(f"{pid}\n")


def _stay():
    _note(os.getpid())
    time.sleep(600)
    os._exit(0)


@register("forks", devices=("cpu",))
def forks(x, num_groups, weight, bias, eps):
    """Forks, and both go on: two workers on one connection."""
    if os.fork() == 0:
        _note(os.getpid())
    return _right(x, num_groups, weight, bias, eps)


@register("forks-a-sleeper", devices=("cpu",))
def forks_a_sleeper(x, num_groups, weight, bias, eps):
    """Forks a child that stays."""
    if os.fork() == 0:
        _stay()
    return _right(x, num_groups, weight, bias, eps)


@register("starts-a-program", devices=("cpu",))
def starts_a_program(x, num_groups, weight, bias, eps):
    """Starts another program and leaves it running."""
    _note(subprocess.Popen(["sleep", "600"]).pid)
    return _right(x, num_groups, weight, bias, eps)


@register("daemonises", devices=("cpu",))
def daemonises(x, num_groups, weight, bias, eps):
    """Leaves a daemon: a child's child in a session of its own."""
    script = "setsid sleep 600 >/dev/null 2>&1 & echo $!"
    _note(int(subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout))
    return _right(x, num_groups, weight, bias, eps)


@register("forks-and-dies", devices=("cpu",))
def forks_and_dies(x, num_groups, weight, bias, eps):
    """Forks a child that keeps the connection open, and dies."""
    if os.fork() == 0:
        _stay()
    ctypes.string_at(0)
