"""One case on one row: in a worker, or in a test's own process."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from bench.check import judge
from bench.check.acts import ACTS
from bench.check.calls import Called, call, not_for
from bench.check.case import Case
from bench.check.expected import Truth, groups, settled, truths
from bench.check.given import make, placed
from bench.check.judge import Finding
from bench.measure import form
from bench.measure.inputs import Inputs
from bench.measure.messages import YARDSTICK
from kernels.table import Implementation


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one case comes to for one row: findings, or why there are none."""

    findings: tuple[Finding, ...] = ()
    not_applicable: str | None = None
    not_run: str | None = None

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings of laws that do not hold."""
        return tuple(finding for finding in self.findings if not finding.holds)


def _silent(_: str) -> None:
    return None


def conform(
    row: Implementation,
    case: Case,
    *,
    device: str = "cpu",
    seed: int = 0,
    yardstick: bool = True,
    every: bool = True,
    announce: Callable[[str], object] = _silent,
) -> Outcome:
    """Hold one row against one case.

    Parameters
    ----------
    row, case
        What is called, and how.
    device, seed
        Where, and what the contents are drawn from.
    yardstick
        False where native dies of this case: the tolerance is then 4 ULP.
    every
        False: where a row compiles for seconds, take the brief cases only.
    announce
        Is told whose turn it is, before native's and before the row's.

    Returns
    -------
    Outcome
        A finding for each law and output. Whatever the row raises goes through.
    """
    if (reason := not_for(row, case, device)) is not None:
        return Outcome(not_applicable=reason)
    if not every and not case.brief and row.slow_start:
        return Outcome(not_run="compiles for seconds: of its cases the brief ones only")
    if case.size == "big" and row.untimed is not None and row.untimed(case.problem):
        return Outcome(not_run="interpreted: it would take hours")
    placement = random.Random(seed)
    pristine = settled(case, make(case, case.seed(seed), device))
    if case.act in ACTS:
        announce(row.name)
        return Outcome(findings=(ACTS[case.act](row, case, placed(case, pristine, placement), placement),))
    known = () if case.groups_judged else truths(case, pristine, yardstick=_marked(announce, yardstick=yardstick))
    announce(row.name)
    given = placed(case, pristine, placement)
    called = call(row, case, given)
    findings = tuple(_findings(case, given, pristine, called, known))
    form.poison(called.outputs)
    return Outcome(findings=findings)


def _marked(announce: Callable[[str], object], *, yardstick: bool) -> Callable[[], object] | None:
    return (lambda: announce(YARDSTICK)) if yardstick else None


def _findings(case: Case, given: Inputs, pristine: Inputs, called: Called, known: Sequence[Truth]) -> Iterator[Finding]:
    yield from judge.besides(case, given, pristine, called.outputs, left=called.left_grad_mode)
    device = given.x.device.type
    if case.groups_judged:
        yield from _by_groups(case, pristine, called)
        return
    wrong = judge.ill_formed(called.outputs, known, device, any_float=case.act == "autocast")
    if case.act != "autocast":
        yield Finding(law="form", holds=wrong is None, reason=wrong)
    if wrong is not None:
        yield from (Finding(law=law, holds=False, reason=wrong) for law in case.laws)
        return
    for law in case.laws:
        for output, truth in zip(called.outputs, known, strict=True):
            assert isinstance(output, Tensor)
            yield _by_law(law, output, truth, case, pristine)


def _by_law(law: str, output: Tensor, truth: Truth, case: Case, inputs: Inputs) -> Finding:
    if law == "constant":
        return judge.constant(output, case, inputs)
    found = judge.numbers(law, output, truth)
    if law == "autocast" and truth.what == "y":
        said = f"y is {str(output.dtype).removeprefix('torch.')} for {case.dtype}; {found.reason}"
        return Finding(law=law, holds=found.holds, figure=found.figure, bar=found.bar, reason=said)
    return found


def _by_groups(case: Case, inputs: Inputs, called: Called) -> Iterator[Finding]:
    """Judge some groups of a y that is too large for a truth of its own."""
    y = called.outputs[0]
    wrong = None
    if not isinstance(y, Tensor) or y.shape != case.shape or y.dtype != inputs.x.dtype:
        wrong = "y has another shape or type"
    yield Finding(law="form", holds=wrong is None, reason=wrong)
    if not isinstance(y, Tensor) or wrong is not None:
        return
    for group in groups(case):
        (known,) = truths(group.case, group.inputs(inputs), yardstick=None)
        yield from (judge.numbers(law, group.of(y), known) for law in case.laws)


def answer(row: Implementation, question: Mapping[str, Any], announce: Callable[[str], object]) -> dict[str, Any]:
    """Answer the driver in a worker: ``case``, ``device``, ``seed``, ``yardstick`` and ``every``, all plain data."""
    outcome = conform(
        row,
        Case.from_dict(question["case"]),
        device=question["device"],
        seed=question["seed"],
        yardstick=question["yardstick"],
        every=question["every"],
        announce=announce,
    )
    findings = tuple(replace(one, figure=_finite(one.figure), bar=_finite(one.bar)) for one in outcome.findings)
    return asdict(replace(outcome, findings=findings))


def _finite(figure: float | None) -> float | None:
    """Leave out what JSON cannot hold; the reason tells it."""
    return figure if figure is not None and math.isfinite(figure) else None
