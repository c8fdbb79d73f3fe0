"""The worker: answers messages. The only place that loads the plugin table and runs a kernel."""

from __future__ import annotations

import os
import random
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import torch

from bench.devices.base import Clock, Device
from bench.devices.choice import device_named
from bench.measure import limits, messages, sides
from bench.measure.call import Gradient, Kernel, kernel_of
from bench.measure.compiles import Compiles
from bench.measure.conduct import Conduct, Offence, Spoilt
from bench.measure.mark import Mark
from bench.measure.opened import OpenedBlock
from bench.measure.ranges import close_visit, open_visit, phase
from bench.measure.trace import profiled, repeated
from bench.plan.problem import Problem
from kernels import discovery
from kernels.table import Implementation, implementations, one_line
from reports.schema import Status

Answer = TypeVar("Answer")


# Elements that torch gives one thread before it takes another (at::internal::GRAIN_SIZE).
_GRAIN = 32_768


def serve(connection: Connection, mark: Mark) -> None:
    """Answer requests until the driver closes the connection."""
    worker = _Worker(mark, Conduct(connection.fileno()))
    while True:
        try:
            request = messages.decode(connection.recv_bytes())
        except EOFError:
            return
        try:
            reply = worker.answer(request)
        except Spoilt as spoilt:
            mark.set(spoilt.name)
            reply = messages.Broken(status=spoilt.status, reason=spoilt.reason)
        except (Exception, SystemExit) as error:
            _trace(error)
            reply = messages.Broken(status=limits.status_of(error), reason=one_line(error))
        with suppress(OSError, ValueError, AttributeError):  # a row may have closed or replaced it
            sys.stderr.flush()
        connection.send_bytes(messages.encode(reply))


def _trace(error: BaseException) -> None:
    with suppress(OSError, ValueError, AttributeError):
        traceback.print_exception(error)


class _Generations:
    """Ends the grandchildren: a row that forks in each of n calls, and whose children go on, makes n processes so."""

    def __init__(self) -> None:
        self._depth = 0

    def __call__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            os._exit(1)


class _Worker:
    def __init__(self, mark: Mark, conduct: Conduct) -> None:
        self._mark = mark
        self._conduct = conduct
        self._rows: dict[str, Implementation] = {}
        self._device: Device | None = None
        self._block: OpenedBlock | None = None
        self._visit: object = None
        self._allowance = ""
        self._fallen: set[str] = set()
        self._compiles = Compiles()
        limits.limit_files()
        conduct.keep_state()
        os.register_at_fork(after_in_child=_Generations())

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
            case messages.Challenge(name=name):
                with phase("challenge"):
                    return self._guarded(name, lambda block: block.challenge(name), _failed_challenge)
            case messages.Weigh(name=name):
                with phase("memory"):
                    return self._guarded(name, lambda block: block.weigh(name), _failed_weighing)
            case messages.Repeat(name=name, calls=calls):
                with phase("measure"):
                    return self._guarded(name, lambda block: self._repeat(block, name, calls), _failed_repeating)
            case messages.Profile(name=name):
                return self._guarded(name, lambda block: self._profile(block, request), _failed_profiling)
            case messages.Consult():
                return self._consult(request)
            case messages.Close():
                return self._close()

    def _load(self, request: messages.Load) -> messages.Loaded:
        problem, clock = None, Clock(resolution_s=0.0, empty_call_s=0.0)
        try:
            # Before any plugin, which might replace what the device takes its time with.
            self._device = device_named(request.device)
        except RuntimeError as error:
            problem = one_line(error)
        self._conduct.keep_functions()
        self._rows = self._imported(request)
        try:
            if self._device is not None:
                self._device.prepare(request.threads)
                # Pools start once; from here on a new thread came with a row.
                torch.ones(2 * _GRAIN * request.threads).add_(1)
                clock = self._device.clock()
        except RuntimeError as error:
            problem = one_line(error)
        self._conduct.settle()
        return messages.Loaded(
            rows=[_facts(row) for row in self._rows.values()],
            device_problem=problem,
            threads=torch.get_num_threads(),
            resolution_s=clock.resolution_s,
            empty_call_s=clock.empty_call_s,
        )

    def _imported(self, request: messages.Load) -> dict[str, Implementation]:
        """Import the table; a source that replaces what the harness stands on has broken its own rows."""
        seen: set[str] = set()
        broken: dict[str, str] = {}

        def announce(name: str) -> None:
            entered = implementations().keys() - seen
            if (replaced := self._conduct.imported()) is not None:
                broken.update(dict.fromkeys(entered, f"its import {replaced}"))
            seen.update(entered)
            self._mark.set(name)

        shuffle = random.Random(request.order_seed)
        rows = discovery.load(
            request.names, [Path(plugin) for plugin in request.plugins], shuffle=shuffle, announce=announce
        )
        for side in shuffle.sample(request.sides, len(request.sides)):
            rows |= sides.load(side, shuffle=shuffle, announce=announce)
        announce("")
        return {name: replace(row, broken=broken[name]) if name in broken else row for name, row in rows.items()}

    def _consult(self, request: messages.Consult) -> messages.Consulted:
        """Ask about one row, under its own name; what it raises is its answer."""
        assert self._device is not None
        self._limit(request.memory_bytes)
        module, _, function = request.function.partition(":")
        ask = getattr(import_module(module), function)
        try:
            answer = ask(self._rows[request.name], request.question, self._mark.set)
            self._device.synchronize()
        except Exception as error:
            _trace(error)
            if (status := limits.status_of(error)) == Status.OUT_OF_MEMORY:
                raise Spoilt(self._mark.get(), status, f"{one_line(error)}{self._allowance}") from error
            return messages.Consulted(status=status, reason=one_line(error))
        finally:
            self._mark.set("")
        return messages.Consulted(answer=answer)

    def _limit(self, spare_bytes: int | None) -> None:
        limits.limit_memory(spare_bytes)
        self._allowance = limits.told(spare_bytes)

    def _open(self, request: messages.Open) -> messages.Opened:
        assert self._device is not None
        self._limit(request.memory_bytes)
        self._conduct.keep_state()
        problem = Problem(**request.problem)
        self._visit = open_visit(problem.key)
        self._fallen.clear()
        self._device.configure(timer=request.timer, sustained=request.sustained)
        refused, untimed = {}, {}
        kernels: dict[str, Kernel | Gradient] = {}
        for name in request.names:
            self._mark.set(name)
            row = self._rows[name]
            if (refusal := row.refusal(problem)) is not None:
                refused[name] = messages.Refused(status=refusal.status, reason=refusal.reason)
            else:
                kernels[name] = kernel_of(row, problem)
                if row.untimed is not None and (reason := row.untimed(problem)) is not None:
                    untimed[name] = reason
            if (offence := self._looked(name)) is not None:
                refused[name] = messages.Refused(status=Status.INCONSISTENT, reason=offence.reason)
                kernels.pop(name, None)
        self._mark.set(messages.YARDSTICK if request.yardstick else "")
        self._block = OpenedBlock(
            problem,
            kernels,
            reference=request.reference,
            device=self._device,
            cold=request.cold,
            seed=request.seed,
            placement=random.Random(request.placement_seed),
            yardstick=request.yardstick,
            compiles=self._compiles,
        )
        self._mark.set("")
        return messages.Opened(refused=refused, untimed=untimed)

    def _guarded(
        self,
        name: str,
        act: Callable[[OpenedBlock], Answer],
        failed: Callable[[Status, str], Answer],
    ) -> Answer:
        """Let one implementation act under its own name; what it raises and what it does is its own failure."""
        assert self._block is not None
        assert self._device is not None
        self._mark.set(name)
        answer = failure = None
        try:
            answer = act(self._block)
            self._device.synchronize()  # what it launched may fail later: under its own name, not the next one's
        except BaseException as error:  # KeyboardInterrupt too: no more than what a row raised
            # The error itself must go at once: it holds the row's frames, and what lies in them.
            failure = (limits.status_of(error), one_line(error))
            _trace(error)
        if failure is not None and (lost := self._device.recover()) is not None:
            raise Spoilt(name, Status.CRASHED, f"{failure[1]}: {lost}")
        # At once, under its own name: the next one to be called would be slowed, and blamed.
        offence = self._looked(name)
        changed = self._block.changed_grad_mode()
        if failure or offence or changed or getattr(answer, "status", None) not in {None, Status.OK}:
            self._fallen.add(name)
            self._block.fell(name)
        if failure is not None and not (offence and offence.outweighs):
            if failure[0] == Status.OUT_OF_MEMORY:
                # Whatever it has kept, and a heap that was full, are no one else's matter.
                raise Spoilt(name, failure[0], f"{failure[1]}{self._allowance}")
            self._mark.set("")
            return failed(*failure)
        self._mark.set("")
        if (reason := offence.reason if offence else changed) is not None:
            return failed(Status.INCONSISTENT, reason)
        assert answer is not None
        return answer

    def _round(self, request: messages.Time) -> messages.Timed:
        assert self._device is not None
        spin_s, before_s = self._device.spin_s(), self._device.stolen_s()
        batches = []
        for name, calls in request.batches:
            batches.append(self._time(request, name, calls))
            if batches[-1].struck:
                break  # the round is void: what would follow is time lost
        after_s = self._device.stolen_s()
        stolen_s = None if before_s is None or after_s is None else after_s - before_s
        return messages.Timed(batches=batches, spin_s=spin_s, stolen_s=stolen_s)

    def _looked(self, name: str) -> Offence | None:
        """Give what a row did that is mended; end the worker for what is not."""
        if self._conduct.is_cut_off():
            self._mark.set(name, "closed the worker's connection to the driver")
            os._exit(1)
        offence = self._conduct.look(name)
        if offence is not None and not offence.is_mended:
            raise Spoilt(offence.name, Status.INCONSISTENT, offence.reason)
        return offence

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
        inconsistent = {}
        for name in self._block.suspects(self._fallen):
            if changed := self._guarded(name, partial(_changes, name=name), _as_told):
                inconsistent[name] = changed
        inconsistent = inconsistent or self._block.unexplained()
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


def _failed_challenge(status: Status, reason: str) -> messages.Challenged:
    return messages.Challenged(status=status, reason=reason)


def _changes(block: OpenedBlock, *, name: str) -> str:
    return block.changed_by(name) or ""


def _as_told(_status: Status, reason: str) -> str:
    return reason


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
