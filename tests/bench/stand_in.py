"""An executor without workers: each visit's figures follow from the block and the pass alone."""

from bench.events import Listener
from bench.measure import messages
from bench.measure.tally import Conditions
from bench.measure.visited import CellVisit, Series, Visited
from bench.passes import Passes
from bench.past import past_of
from bench.plan.block import Block
from bench.plan.problem import Problem

ROUNDS = 5
TABLE = messages.Loaded(rows=[], device_problem=None, threads=1, resolution_s=1e-8, empty_call_s=1e-8)
CONDITIONS = Conditions(run_id="r", reference="native", timer="host", cache="warm", threads=1)


def blocks(count, names=("native", "mine")):
    return tuple(Block(problem=Problem(N=n + 1, C=8, H=4, W=4, G=4), names=names) for n in range(count))


def passes_of(directory, stretches, settings, listener=None):
    """Make the passes of a run, or of one to be gone on with."""
    listener = listener or Listener()
    return Passes(
        directory=directory,
        settings=settings,
        conditions=CONDITIONS,
        table=TABLE,
        stretches=stretches,
        past=past_of(directory.journal_path, stretches, listener),
        listener=listener,
    )


class StandIn:
    """Measures ``measured_s`` a visit, of each name ``struck`` batches in vain; it is interrupted after some visits."""

    def __init__(self, *, measured_s=1.0, stop_after=None, bad=None, struck=0):
        self.measured_s = measured_s
        self.struck = struck
        self.left = stop_after
        self.bad = bad or {}
        self.passes = 0

    def begin_pass(self, names):
        self.passes += 1
        return (self.passes - 1) // 3

    def visit(self, plan):
        if self.left == 0:
            raise KeyboardInterrupt
        if self.left is not None:
            self.left -= 1
        base = plan.problem.N * 1e-3 * (1 + 0.01 * plan.pass_)
        timed = [name for name in plan.names if name not in self.bad]
        companions = [messages.TWIN, messages.COPY, messages.CLONE]
        return Visited(
            key=plan.problem.key,
            pass_=plan.pass_,
            launch=plan.launch,
            cells={name: CellVisit(status=self.bad.get(name, "ok")) for name in plan.names},
            series={
                name: Series(
                    calls=1,
                    seconds=[base * (1 + 0.01 * plan.pass_ * place + 0.001 * round_) for round_ in range(ROUNDS)],
                    positions=[place] * ROUNDS,
                    struck=self.struck,
                )
                for place, name in enumerate([*companions, *timed])
            },
            seconds={"measure": self.measured_s},
        )
