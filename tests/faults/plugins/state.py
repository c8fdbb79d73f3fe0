"""Rows that change what everybody in their process shares, and answer rightly."""

import gc
import io
import os
import signal
import sys

import torch
import torch.nn.functional as F

from kernels import register

_calls = {}
_entered = []


def _right(x, num_groups, weight, bias, eps):
    return F.group_norm(x, num_groups, weight, bias, eps)


def _row(name, what, change):
    """Enter a row that changes something before it answers."""

    def row(x, num_groups, weight, bias, eps):
        change()
        return _right(x, num_groups, weight, bias, eps)

    row.__doc__ = what
    register(name, devices=("cpu",))(row)


def _later():
    _calls["later"] = _calls.get("later", 0) + 1
    if _calls["later"] > 40:
        torch.set_default_dtype(torch.float64)


def _enter(mode):
    mode.__enter__()
    _entered.append(mode)


def _alarm():
    signal.setitimer(signal.ITIMER_REAL, 60)


_row("threads", "Sets torch's number of threads.", lambda: torch.set_num_threads(2))
_row("dtype", "Sets the default dtype.", lambda: torch.set_default_dtype(torch.float64))
_row("dtype-later", "Sets it when it is timed.", _later)
_row("device", "Sets the default device.", lambda: torch.set_default_device("cpu"))
_row("deterministic", "Turns deterministic algorithms on.", lambda: torch.use_deterministic_algorithms(True))
_row("grad-mode", "Turns autograd on.", lambda: torch.set_grad_enabled(True))
_row("inference-mode", "Enters inference mode and stays in it.", lambda: _enter(torch.inference_mode()))
_row("autocast", "Turns autocast on.", lambda: torch.set_autocast_enabled("cpu", True))
_row("precision", "Lowers the matmul precision.", lambda: torch.set_float32_matmul_precision("medium"))
_row("denormals", "Flushes denormal numbers to zero.", lambda: torch.set_flush_denormal(True))
_row("stdout", "Replaces sys.stdout.", lambda: setattr(sys, "stdout", io.StringIO()))
_row("stdout-closed", "Closes descriptor 1.", lambda: os.close(1))
_row("directory", "Changes the working directory.", lambda: os.chdir("/"))
_row("environment", "Sets OMP_NUM_THREADS.", lambda: os.environ.update(OMP_NUM_THREADS="3"))
_row(
    "handler",
    "Handles SIGINT.",
    lambda: signal.signal(signal.SIGINT, lambda *_: None),
)
_row("blocks", "Blocks SIGTERM.", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}))
_row("alarm", "Sets an alarm that would end somebody else.", _alarm)
_row("collector", "Turns the garbage collector on.", gc.enable)
_row("cores", "Lets itself run on every core.", lambda: os.sched_setaffinity(0, range(os.cpu_count())))
_row("nice", "Lowers its priority.", lambda: os.setpriority(os.PRIO_PROCESS, 0, 5))
