"""The whole way of a gate on one page: two sides' kernels in, verdicts and their folder out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import host
from bench.claims import claimed, cores_of, is_shared
from bench.ending import told_by_signals
from bench.errors import UsageError
from bench.events import Listener
from bench.executors.local import LocalExecutor
from bench.gate import folder, verdicts
from bench.gate.asked import Asked, Gated, Settled
from bench.gate.folder import GateFolder
from bench.gate.judge import Judge
from bench.gate.passes import Made, Pass, Passes
from bench.gate.settle import Settling, visit_of
from bench.gate.sources import Sides
from bench.gate.workers import Workers
from bench.measure.visited import Visited
from bench.neighbours import look, warning
from bench.plan.problem import Problem
from bench.planning import plan, threads_for
from bench.record.durable import told_when_unwritable
from bench.record.journal import Journal, read
from reports.gate_schema import Outcome


def gate(
    asked: Asked,
    make_sides: Callable[[Path], Sides],
    *,
    out: Path | None = None,
    listener: Listener | None = None,
) -> Gated:
    """Set base against head and give the verdicts; what was measured is in a new folder.

    Parameters
    ----------
    asked
        What to compare and how.
    make_sides
        Makes the two sides' copies below the folder that it is given (``sources.of_revision`` and its like).
    out
        The folder; by default one below ``runs`` named by the time.
    listener
        Is told what happens.

    Raises
    ------
    UsageError
        Nothing valid was asked for, or nothing can be compared or written as asked.
    """
    asked = replace(asked, settings=replace(asked.settings, threads=threads_for(asked.settings.threads)))
    asked.policy  # noqa: B018 - a misspelt key is told before anything is made
    problems = problems_of(asked)
    now = datetime.now(UTC)
    info = {"started": now.isoformat(timespec="seconds"), "asked": asked.to_dict()} | host.facts()
    made = folder.create(out or folder.default_path(now), info)
    try:
        sides = make_sides(made.sides)
        made.update(sides=sides.to_dict())
        return Gating(asked, made, sides, listener or Listener()).made(problems)
    except UsageError:
        # Nothing was measured: what was made for a question that was wrong is only in the way.
        if not made.passes.exists():
            shutil.rmtree(made.path, ignore_errors=True)
        raise


def resume(path: Path, budget_s: float, *, listener: Listener | None = None) -> Gated:
    """Go on with a gate that was undecided or interrupted: its guarantee holds however long it is.

    Parameters
    ----------
    path
        Its folder.
    budget_s
        Seconds more.
    listener
        Is told what happens.

    Raises
    ------
    UsageError
        It is no gate, or is decided, or never came to its first pass.
    """
    made = folder.open_gate(path)
    info = made.info()
    if "settled" not in info or not made.sides.is_dir():
        found = f"{path} is decided" if info.get("outcome") else f"{path} never came to its first pass"
        raise UsageError("--resume", found, "start a new gate")
    asked = Asked.from_dict(info["asked"])
    asked = replace(asked, settings=replace(asked.settings, budget_s=budget_s))
    gating = Gating(asked, made, Sides.from_dict(info["sides"]), listener or Listener())
    return gating.continued(Settled.from_dict(info["settled"]))


def problems_of(asked: Asked) -> tuple[Problem, ...]:
    """Give the problems that fit in memory; UsageError where none does."""
    planned = plan(asked.sweep, asked.settings)
    return tuple(block.problem for block, need in zip(planned.blocks, planned.cost.needs, strict=True) if need.fits)


class Gating:
    """One gate in progress: the folder and its device held, workers with both sides, what is settled, and passes."""

    def __init__(self, asked: Asked, made: GateFolder, sides: Sides, listener: Listener) -> None:
        self._asked, self._folder, self._sides = asked, made, sides
        self._listener = listener
        self._warnings: list[str] = []
        self._ends = time.perf_counter() + asked.settings.budget_s
        self.workers = Workers(asked=asked, folder=made, sides=sides, listener=self._listener, warn=self._warn)

    def made(self, problems: Sequence[Problem]) -> Gated:
        """Make the whole gate."""
        with self.held("--out"), self.workers.loaded() as (executor, table, apart):
            settled = self.settling(executor).settled(table, problems, apart=apart)
            self._folder.update(settled=settled.to_dict())
            return self._concluded(settled, self._passes(executor, settled))

    def continued(self, settled: Settled) -> Gated:
        """Go on with what was settled before."""
        with self.held("--resume"), self._at_work(settled) as executor:
            settled = self.settling(executor).completed(settled)
            self._folder.update(settled=settled.to_dict())
            return self._concluded(settled, self._passes(executor, settled))

    def _at_work(self, settled: Settled) -> AbstractContextManager[LocalExecutor]:
        return self.workers.executor(apart=settled.apart, launched=len(self._past()))

    def settling(self, executor: LocalExecutor) -> Settling:
        """Give what settles the gate by these workers."""
        return Settling(
            asked=self._asked,
            sides=self._sides,
            executor=executor,
            listener=self._listener,
            path=self._folder.path,
            ends=self._ends,
            warn=self._warn,
        )

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._listener.warned(text)

    @contextmanager
    def held(self, argument: str) -> Iterator[None]:
        """Hold the folder and the cores; ``argument`` is the option that a refusal names."""
        threads, path = self._asked.settings.threads or host.available_cores(), self._folder.path
        with (
            told_by_signals(),
            told_when_unwritable(path, f"then go on with 'gnbench gate --resume {path}'"),
            self._folder.lock(argument),
            claimed(self._asked.sweep.device, threads, path, self._warn),
        ):
            if not is_shared() and (line := warning(look(cores_of(threads)))) is not None:
                self._warn(line)
            yield

    def passes(
        self,
        settled: Settled,
        *,
        write: Callable[[dict[str, Any]], object],
        seen: Callable[[Visited], object] = lambda _: None,
    ) -> Passes:
        """Give the passes over all timed cells, not yet begun.

        ``write`` puts a pass on disk, ``seen`` is shown each visit.
        """
        pairs = settled.timed
        return Passes(
            pairs=pairs,
            control=_middle([pair.problem for pair in pairs.values()]),
            like=visit_of(self._asked, next(iter(pairs.values())).problem, settled.clock_s),
            listener=self._listener,
            write=write,
            seen=seen,
        )

    def _past(self) -> list[Pass]:
        path = self._folder.passes
        return [Pass.from_dict(one) for one in read(path, self._warn)] if path.exists() else []

    def _passes(self, executor: LocalExecutor, settled: Settled) -> Made | None:
        """Make the passes, those before a resume first."""
        pairs = settled.timed
        if not pairs:
            return None
        policy = self._asked.policy
        unreached = sum(one.is_unreached for one in settled.candidates)
        own = {key: policy.lines_of(key) for key in pairs}
        made = Made(judge=Judge(tuple(pairs), policy.lines, own, beside=unreached))
        for one in self._past():
            made.take(one)
        with Journal(self._folder.passes, self._warn) as journal:
            passes = self.passes(settled, write=journal.append)
            passes.make(executor, made, self._ends - time.perf_counter())
        return made

    def _concluded(self, settled: Settled, made: Made | None) -> Gated:
        policy = self._asked.policy
        rules = verdicts.Rules(policy=policy, today=datetime.now(UTC).date(), places=settled.places)
        for over in policy.expired(rules.today):
            self._warn(f"the allowance for {over.cells!r} ended on {over.until}: take it out of gnbench.toml")
        rows = verdicts.rows(settled, made, rules)
        judge = made.judge if made else None
        found = Gated(
            folder=self._folder,
            sides=self._sides,
            outcome=verdicts.outcome(rows, judge),
            rows=tuple(rows),
            lines=policy.lines,
            suite=judge.suite if judge else None,
            control=judge.control if judge else None,
            passes=len(made.passes) if made else 0,
            pass_s=made.full_pass_s if made else 0.0,
            seconds=made.seconds if made else 0.0,
            warnings=tuple(self._warnings),
        )
        self._folder.update(**found.info)
        if found.outcome not in {Outcome.UNDECIDED, Outcome.NO_VERDICT}:
            self._folder.forget_sides()
        return found


def _middle(problems: Sequence[Problem]) -> Problem:
    """Give the problem of middle size: the control is to meet what the cells meet."""
    ranked = sorted(set(problems), key=lambda problem: (problem.minimum_bytes, problem.key))
    return ranked[len(ranked) // 2]
