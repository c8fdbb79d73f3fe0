"""The real worker, visit and tally in this very process, on a device whose clock, faults and memory are injected."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from bench.devices.base import Batch, Clock, WarmUp
from bench.events import Listener
from bench.measure import messages, opened, worker
from bench.measure.conduct import Conduct
from bench.measure.tally import Conditions, Tally
from bench.measure.visit import visit
from bench.measure.visited import Visit, Visited
from bench.plan.block import Block
from bench.plan.problem import Problem
from bench.stats.stopping import Stopping
from kernels.table import Implementation


class Mark:
    """Whose turn it is: by this the device knows the twin from the reference, whose kernel is the same."""

    name = ""

    def set(self, name):
        self.name = name


@dataclass(kw_only=True)
class Machine:
    """A clock in whole nanoseconds that only calls move, and what else a device is asked for."""

    cost_ns: Callable[[str, int, int | None], int]
    """Of one call, by name, pass and round; the round is None outside the rounds."""
    first_call_ns: Mapping[str, int] = field(default_factory=dict)
    faults_a_call: Callable[[str, int], int] = lambda name, round_: 0
    struck: Callable[[str, int, int], bool] = lambda name, round_, attempt: False
    """Of a batch, by name, round and how often it was tried in this round before."""
    parts: float | None = None
    """What the median over a batch's parts is of the whole's; None: there are no parts."""
    allocated: Mapping[str, int] = field(default_factory=dict)
    fresh_s: Sequence[float] = (3.0, 1.0, 2.0)
    host_s: Sequence[float] = (6.0, 5.0, 4.0)
    now_ns: int = 10**9
    pass_: int = 0
    round_: int | None = None
    mark: Mark = field(default_factory=Mark)
    threads: int = 0
    called: set[str] = field(default_factory=set)
    """Names that were called in this pass."""
    positions: dict[tuple[int, int, str], int] = field(default_factory=dict)
    """Place of each batch in its round, by pass, round and name, as it was asked for."""
    turns: dict[tuple[str, str], int] = field(default_factory=dict)
    name = "cpu"
    warm_up = WarmUp()
    replays = False

    # The host's clock, as the worker reads it around a first call.
    def perf_counter(self):
        return self.now_ns / 1e9

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9)

    def spend(self):
        """Let one call's time pass."""
        name = self.mark.name
        first = self.first_call_ns.get(name) if name not in self.called else None
        self.called.add(name)
        self.now_ns += self.cost_ns(name, self.pass_, self.round_) if first is None else first

    # The device's protocol.
    def prepare(self, threads):
        self.threads = threads
        torch.set_num_threads(threads)

    def configure(self, *, timer, sustained):
        assert (timer, sustained) == (None, False)

    def copies(self, input_bytes, *, cold):
        return 1

    def synchronize(self):
        pass

    def recover(self):
        return None

    def time(self, call, calls, *, cold):
        name, start, output = self.mark.name, self.now_ns, None
        for _ in range(calls):
            before = self.now_ns
            output = call()
            if self.now_ns == before:  # a copy or a gradient: no kernel of ours is called that would spend the time
                self.spend()
        struck = self.struck(name, self.round_ or 0, self._turn(f"round {self.pass_} {self.round_}"))
        faults = calls * self.faults_a_call(name, self.round_ or 0)
        seconds = (self.now_ns - start) / 1e9
        throttled = self.round_ == 1
        batch = Batch(
            seconds=seconds,
            call_s=None if self.parts is None else seconds / calls * self.parts,
            page_faults=faults,
            struck=struck,
            sm_clock_hz=1.5e9,
            throttled=throttled,
            power_w=300.0,
            temperature_c=60.0,
        )
        return batch, output

    def spin_s(self):
        return (40 + self.round_) / 1e6

    def stolen_s(self):
        return 0.0

    def cool_down(self, seconds):
        raise AssertionError("a visit without a share of the budget waits for nothing")

    def allocated_bytes(self, call):
        call()
        return self.allocated[self.mark.name]

    def fresh_output_seconds(self, call):
        return self._next("fresh", self.fresh_s)

    def stopwatch(self):
        return None

    def host_seconds(self, call):
        return self._next("host", self.host_s)

    def _next(self, what, values):
        return values[self._turn(what) % len(values)]

    def _turn(self, what):
        turn = self.turns[what, self.mark.name] = self.turns.get((what, self.mark.name), -1) + 1
        return turn

    def clock(self):
        return Clock(resolution_s=5e-8, empty_call_s=1e-7)


def rows(machine, **kernels):
    """Make plugin rows whose every call lets the machine's time pass."""

    def spending(kernel):
        def group_norm(x, num_groups, weight, bias, eps):
            machine.spend()
            return kernel(x, num_groups, weight, bias, eps)

        return group_norm

    def row(name, kernel):
        untimed = (lambda problem: "interpreted") if name == "interpreted" else None
        return Implementation(name=name, call=spending(kernel), differentiable=True, untimed=untimed)

    return {name: row(name, kernel) for name, kernel in ({"native": F.group_norm} | kernels).items()}


class InProcess:
    """Stands where ``link.Worker`` does: the same messages as JSON, answered here."""

    def __init__(self, machine):
        self._machine = machine
        self._worker = worker._Worker(machine.mark, Conduct())

    def ask(self, request, timeout_s):
        machine = self._machine
        if isinstance(request, messages.Time):
            machine.round_ = request.round
            for position, (name, _) in enumerate(request.batches):
                machine.positions[machine.pass_, request.round, name] = position
        reply = self._worker.answer(messages.decode(messages.encode(request)))
        machine.round_ = None
        return messages.decode(messages.encode(reply))


@contextlib.contextmanager
def patched(monkeypatch, machine, table):
    """Let the worker find this machine, its clock and these rows."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(worker.discovery, "load", lambda *_, **__: table)
    monkeypatch.setattr(worker, "device_named", lambda name: machine)
    monkeypatch.setattr(opened, "time", machine)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A block's rows, samples and records."""

    results: dict[str, object]
    samples: list[object]
    visits: list[Visited]


def measure(monkeypatch, machine, table, *, problem=None, passes=3, threads=1, cold=False, run_id="r", seed=1):
    """Make ``passes`` visits to one block and its rows, by the engine's own code from the message on."""
    problem = problem or Problem(N=2, C=8, H=6, W=6, G=4)
    tally = Tally(Block(problem=problem, names=tuple(table)), (), Stopping(precision=0.01, most_passes=passes))
    visits = []
    with patched(monkeypatch, machine, table):
        for pass_ in range(passes):
            machine.pass_ = pass_
            machine.called.clear()
            asked = InProcess(machine)
            loaded = asked.ask(messages.Load(device="cpu", threads=threads, names=None, plugins=[], order_seed=0), 1.0)
            plan = Visit(
                problem=problem,
                names=tally.names_for(pass_, "native"),
                reference="native",
                pass_=pass_,
                launch=10 + pass_ // 2,
                seed=seed,
                cold=cold,
                share_s=0.0,  # nothing to spare: five rounds
                clock_s=2 * loaded.resolution_s,
                timeout_s=1.0,
                weighs=pass_ == 0,
            )
            made = visit(plan, asked, Listener())
            visits.append(Visited.from_dict(json.loads(json.dumps(made.to_dict()))))
            tally.feed(visits[-1])
    cache = "cold" if cold else "warm"
    conditions = Conditions(run_id=run_id, reference="native", timer="host", cache=cache, threads=loaded.threads)
    return Measured(
        results={row.implementation: row for row in tally.results(conditions)},
        samples=list(tally.samples(run_id)),
        visits=visits,
    )
