"""The worker: answers messages. The only place that loads the plugin table and runs a kernel."""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import torch

from bench.devices.base import Clock, Device
from bench.devices.choice import device_named
from bench.measure import messages
from bench.measure.call import Gradient, Kernel
from bench.measure.mark import Mark
from bench.measure.opened import OpenedBlock
from bench.measure.ranges import close_visit, open_visit, phase
from bench.measure.trace import profiled, repeated
from bench.plan.problem import Problem
from kernels import discovery
from kernels.table import Implementation, one_line
from reports.schema import Status

Answer = TypeVar("Answer")


def serve(connection: Connection, mark: Mark) -> None:
    """Answer requests until the driver closes the connection."""
    worker = _Worker(mark)
    while True:
        try:
            request = messages.decode(connection.recv_bytes())
        except EOFError:
            return
        try:
            reply = worker.answer(request)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            reply = messages.Broken(status=_status_of(error), reason=one_line(error))
        sys.stderr.flush()
        connection.send_bytes(messages.encode(reply))


class _Worker:
    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._rows: dict[str, Implementation] = {}
        self._device: Device | None = None
        self._block: OpenedBlock | None = None
        self._visit: object = None

    def answer(self, request: messages.Request) -> messages.Reply:  # noqa: C901, PLR0911 - one for each kind
        match request:
            case messages.Load():
                return self._load(request)
            case messages.Open():
                return self._open(request)
            case messages.Check(name=name):
                with phase("check"):
                    return self._guarded(name, lambda block: block.check(name), _failed_check)
            case messages.Warm(name=name):
                with phase("warm-up"):
                    return self._guarded(name, lambda block: block.warm(name), _failed_warming)
            case messages.Time():
                with phase("measure"):
                    return self._round(request)
            case messages.Cool(most_s=most_s):
                assert self._device is not None
                self._device.cool_down(most_s)
                return messages.Cooled()
            case messages.Weigh(name=name):
                with phase("memory"):
                    return self._guarded(name, lambda block: block.weigh(name), _failed_weighing)
            case messages.Repeat(name=name, calls=calls):
                with phase("measure"):
                    return self._guarded(name, lambda block: self._repeat(block, name, calls), _failed_repeating)
            case messages.Profile(name=name):
                return self._guarded(name, lambda block: self._profile(block, request), _failed_profiling)
            case messages.Close():
                return self._close()

    def _load(self, request: messages.Load) -> messages.Loaded:
        self._rows = discovery.load(
            request.names,
            [Path(plugin) for plugin in request.plugins],
            shuffle=random.Random(request.order_seed),
            announce=self._mark.set,
        )
        self._mark.set("")
        problem, clock = None, Clock(resolution_s=0.0, empty_call_s=0.0)
        try:
            self._device = device_named(request.device)
            self._device.prepare(request.threads)
            clock = self._device.clock()
        except RuntimeError as error:
            problem = one_line(error)
        return messages.Loaded(
            rows=[_facts(row) for row in self._rows.values()],
            device_problem=problem,
            threads=torch.get_num_threads(),
            resolution_s=clock.resolution_s,
            empty_call_s=clock.empty_call_s,
        )

    def _open(self, request: messages.Open) -> messages.Opened:
        assert self._device is not None
        problem = Problem(**request.problem)
        self._visit = open_visit(problem.key)
        refused, untimed = {}, {}
        kernels: dict[str, Kernel | Gradient] = {}
        for name in request.names:
            self._mark.set(name)
            row = self._rows[name]
            if (refusal := row.refusal(problem)) is not None:
                refused[name] = messages.Refused(status=refusal.status, reason=refusal.reason)
                continue
            assert row.call is not None
            if problem.direction == "backward" and row.backward is not None:
                kernels[name] = Gradient(row.backward)
            else:
                kernels[name] = row.anew() if row.anew is not None else row.call
            if row.untimed is not None and (reason := row.untimed(problem)) is not None:
                untimed[name] = reason
        self._mark.set("")
        self._block = OpenedBlock(
            problem,
            kernels,
            reference=request.reference,
            device=self._device,
            cold=request.cold,
            seed=request.seed,
            placement=random.Random(request.placement_seed),
        )
        return messages.Opened(refused=refused, untimed=untimed)

    def _guarded(
        self,
        name: str,
        act: Callable[[OpenedBlock], Answer],
        failed: Callable[[Status, str], Answer],
    ) -> Answer:
        """Let one implementation act under its own name; what it raises is its own failure."""
        assert self._block is not None
        self._mark.set(name)
        try:
            answer = act(self._block)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            answer = failed(_status_of(error), one_line(error))
            self._block.changed_state()
        else:
            # At once, under its own name: the next one to be called would be slowed, and blamed.
            if (changed := self._block.changed_state()) is not None:
                answer = failed(Status.INCONSISTENT, changed)
        self._mark.set("")
        return answer

    def _round(self, request: messages.Time) -> messages.Timed:
        assert self._device is not None
        spin_s = self._device.spin_s()
        batches = [self._time(request, name, calls) for name, calls in request.batches]
        return messages.Timed(batches=batches, spin_s=spin_s)

    def _time(self, request: messages.Time, name: str, calls: int) -> messages.TimedBatch:
        return self._guarded(
            name,
            lambda block: block.time(name, calls, request.round, verify=request.verify),
            lambda status, reason: messages.TimedBatch(
                name=name, calls=calls, seconds=None, status=status, reason=f"while timed: {reason}"
            ),
        )

    def _repeat(self, block: OpenedBlock, name: str, calls: int) -> messages.Repeated:
        assert self._device is not None
        return repeated(block.call(name), calls, self._device)

    def _profile(self, block: OpenedBlock, request: messages.Profile) -> messages.Profiled:
        assert self._device is not None
        return profiled(block.call(request.name), request, self._device)

    def _close(self) -> messages.Closed:
        assert self._block is not None
        inconsistent = self._block.close()
        self._block = None
        close_visit(self._visit)
        return messages.Closed(inconsistent=inconsistent)


def _failed_check(status: Status, reason: str) -> messages.Checked:
    return messages.Checked(status=status, reason=reason, first_call_s=None)


def _failed_warming(status: Status, reason: str) -> messages.Warmed:
    return messages.Warmed(call_s=None, status=status, reason=reason)


def _failed_weighing(status: Status, reason: str) -> messages.Weighed:
    return messages.Weighed(status=status, reason=reason)


def _failed_repeating(status: Status, reason: str) -> messages.Repeated:
    return messages.Repeated(seconds=None, status=status, reason=reason)


def _failed_profiling(status: Status, reason: str) -> messages.Profiled:
    return messages.Profiled(status=status, reason=reason)


def _status_of(error: BaseException) -> Status:
    # The CPU allocator raises a plain RuntimeError; its words are its only mark.
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error):
        return Status.OUT_OF_MEMORY
    return Status.FAILED


def _facts(row: Implementation) -> messages.RowFacts:
    return messages.RowFacts(
        name=row.name,
        place=row.place,
        origin=row.origin,
        devices=list(row.devices),
        dtypes=list(row.dtypes),
        layouts=list(row.layouts),
        activations=list(row.activations),
        differentiable=row.differentiable,
        slow_start=row.slow_start,
        unavailable=row.unavailability(),
    )
