"""A training step's time and memory, taken apart from the trainings: one process at a time, all its threads, quiet.

A step while another worker trains beside it says nothing of the step. So before the trainings every normalization and
implementation is stepped in alternating rounds within one process, and that over several fresh processes: rounds pair
what is compared, passes are what intervals are made of, as in a run.

The norm's share of a step is what would be saved without it: 1 - (step without a norm) / (step with it), paired by
round. torch's profiler would give the operators' own time; but it slows a step of a millisecond by more than the norm
takes, does not see what a norm costs outside of its operators (memory written by one and read by the next), and cannot
see into a kernel that is not torch's. It is 0 where a network is not faster without its norm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.stats.intervals import Interval, t_interval
from bench.stats.paired import PassFigures, figures_of_pass, latency, log_ratio_of_pass, speedup
from bench.study import norms, plan
from bench.study.asked import Asked
from bench.study.crew import Worker
from reports.study_schema import StepRow

Variant = tuple[str, str | None]
"""A norm's word, and the implementation that computes it."""
NO_NORM: Variant = ("none", None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Variants whose steps are set against each other at one batch size."""

    network: str
    batch_size: int
    image_size: int
    variants: tuple[Variant, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """What one fresh process says of a block: seconds of a step by round, and bytes, in the variants' order."""

    seconds: Sequence[Sequence[float]]
    peak_bytes: Sequence[int | None]


class TimingError(RuntimeError):
    """A step cannot be made; the message says why."""


def blocks_of(asked: Asked, image_size: int) -> list[Block]:
    """Give the blocks of a study of the tutorial's network: every norm by every implementation, and none."""
    variants = [(norm, row) for norm in asked.norms for row in _rows(asked, norm)]
    if NO_NORM not in variants:
        variants.insert(0, NO_NORM)
    return [
        Block(network="tutorial", batch_size=size, image_size=image_size, variants=tuple(variants))
        for size in asked.batch_sizes
    ]


def _rows(asked: Asked, norm: str) -> Sequence[str | None]:
    return asked.implementations if plan.first_implementation(asked, norm) else (None,)


def taken(
    blocks: Sequence[Block],
    start: Callable[[], Worker],
    *,
    passes: int,
    most_s: float,
    seed: int,
    told: Callable[[int, int], object],
) -> list[list[Pass]]:
    """Give the passes of each block; ``start`` makes a fresh worker, ``told`` hears how many visits are done of all.

    Raises
    ------
    TimingError, WorkerDied
        A step raised an error, or took its process down.
    """
    found: list[list[Pass]] = [[] for _ in blocks]
    for number in range(passes):
        with start() as worker:
            for place, block in enumerate(blocks):
                told(number * len(blocks) + place, passes * len(blocks))
                answer = worker.ask(
                    {
                        "do": "time",
                        "variants": block.variants,
                        "network": block.network,
                        "batch_size": block.batch_size,
                        "image_size": block.image_size,
                        "seed": seed + number,
                        "most_s": most_s / (passes * len(blocks)),
                        "weigh": number == 0,
                    }
                )
                if answer["heard"] != "timed":
                    raise TimingError(answer["reason"])
                figures = answer["figures"]
                found[place].append(
                    Pass(seconds=[one["seconds"] for one in figures], peak_bytes=[one["peak_bytes"] for one in figures])
                )
    return found


def rows(block: Block, passes: Sequence[Pass], *, study_id: str, threads: int) -> list[StepRow]:
    """Make a row of each variant."""
    figures = [_figures(block, one) for one in passes]
    reference = reference_of(block.variants)
    return [
        _row(block, place, passes, figures, reference=reference, study_id=study_id, threads=threads)
        for place in range(len(block.variants))
    ]


def reference_of(variants: Sequence[Variant]) -> Variant:
    """Give what the others are set against: the claimed group norm by the first implementation, or the first by the
    table, or the first of all."""  # noqa: D205, D209 - one sentence
    by_table = [variant for variant in variants if norms.read(variant[0]).by_table]
    claimed = [variant for variant in by_table if variant[0] == plan.CLAIMED]
    return next(iter([*claimed, *by_table, *variants]))


def _row(
    block: Block,
    place: int,
    passes: Sequence[Pass],
    figures: Sequence[dict[str, PassFigures]],
    *,
    reference: Variant,
    study_id: str,
    threads: int,
) -> StepRow:
    norm, implementation = variant = block.variants[place]
    read = norms.read(norm)
    # An implementation is set against the first one of its own norm: the other norms do other work.
    own = next(one for one in block.variants if one[0] == norm)
    against = own if own != variant else reference
    step = latency([one[said(variant)].median_s for one in figures])
    assert step is not None
    ratio = None if against == variant else speedup(list(_log_ratios(block, passes, against, variant)))
    return StepRow(
        study_id=study_id,
        network=block.network,
        norm=read.kind,
        groups=read.groups,
        implementation=implementation,
        batch_size=block.batch_size,
        image_size=block.image_size,
        threads=threads,
        step_s=step.centre,
        low=step.low,
        high=step.high,
        reference=None if ratio is None else said(against),
        speedup=ratio.centre if ratio else None,
        speedup_low=ratio.low if ratio else None,
        speedup_high=ratio.high if ratio else None,
        norm_share=_share(block, passes, variant),
        peak_bytes=passes[0].peak_bytes[place],
        passes=len(passes),
        rounds=sum(one[said(variant)].rounds for one in figures),
    )


def said(variant: Variant) -> str:
    """Name a variant in words.

    >>> said(("group:8", "native")), said(("batch", None))
    ('group:8 by native', 'batch')
    """
    norm, implementation = variant
    return norm if implementation is None else f"{norm} by {implementation}"


def _figures(block: Block, one: Pass) -> dict[str, PassFigures]:
    timings = {said(variant): seconds for variant, seconds in zip(block.variants, one.seconds, strict=True)}
    return figures_of_pass(timings, said(block.variants[0]))


def _log_ratios(block: Block, passes: Sequence[Pass], against: Variant, variant: Variant) -> Iterable[float]:
    """Give each pass's log of the one's step time over the other's."""
    first, second = (block.variants.index(one) for one in (against, variant))
    for one in passes:
        ratio = log_ratio_of_pass(one.seconds[first], one.seconds[second])
        assert ratio is not None
        yield ratio


def _share(block: Block, passes: Sequence[Pass], variant: Variant) -> float | None:
    if variant == NO_NORM or NO_NORM not in block.variants:
        return None
    interval: Interval | None = t_interval(list(_log_ratios(block, passes, NO_NORM, variant)))
    assert interval is not None
    return max(0.0, 1 - interval.exp().centre)
