"""Which part of a sweep a task of a Slurm job array has, read from the variables that Slurm sets."""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import UsageError
from bench.plan.axes import whole

WORD = "slurm"
_ID, _COUNT, _LEAST, _MOST, _STEP = (f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "COUNT", "MIN", "MAX", "STEP"))


def is_task_of_many(environ: Mapping[str, str]) -> bool:
    """Say whether this is one of several tasks of an array."""
    return environ.get(_ID, "").isdigit() and environ.get(_COUNT, "").isdigit() and int(environ[_COUNT]) > 1


def part(environ: Mapping[str, str], argument: str) -> tuple[int, int]:
    """Give (part, of how many), from 1: the task's place in its array.

    Raises
    ------
    UsageError
        There is no array, it has one task, or its numbers have gaps: then no task knows its place.

    Examples
    --------
    >>> array = {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "3"}
    >>> part(array | {"SLURM_ARRAY_TASK_STEP": "4"}, "--shard")
    (2, 3)
    """
    for name in (_ID, _COUNT, _LEAST):
        if name not in environ:
            raise UsageError(argument, f"{WORD!r} needs a job array, but {name} is not set", "give it as 2/4")
    number, count, least = (whole(environ[name], name) for name in (_ID, _COUNT, _LEAST))
    step = whole(environ.get(_STEP, "1"), _STEP, least=1)
    if count < 2:
        raise UsageError(argument, "an array of one task is no part of a sweep", "give the part in numbers, as 3/8")
    place, rest = divmod(number - least, step)
    most = whole(environ.get(_MOST, str(least + (count - 1) * step)), _MOST)
    if rest or not 0 <= place < count or (most - least) // step + 1 != count:
        found = f"task {number} is not one of {count} from {least} in steps of {step}"
        raise UsageError(argument, found, "submit the array without gaps, or give the part in numbers, as 3/8")
    return place + 1, count
