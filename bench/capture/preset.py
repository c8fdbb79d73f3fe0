"""Calls that were seen to a TOML preset, and words for those that the suite cannot measure as they were made."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bench.capture.seen import NOTHING, UNKNOWN, Seen, SeenCall
from bench.plan.problem import ACTIVATIONS, DIRECTIONS, Problem, ProblemError

_BUDGET_S = 4  # of measuring a problem, as the presets of models have it
_MOST_STRIDES = 3
"""That a remark spells out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """What a program's calls come to."""

    text: str
    """TOML, for ``gnbench run --config``."""
    problems: int
    calls: Mapping[str, int]
    """Of those that are in it, by direction."""
    remarks: tuple[str, ...]
    """What is not measured as it was called, one line each; they stand in the text as well."""

    @property
    def summary(self) -> str:
        """Say in a few words what it holds."""
        problems = f"{self.problems} problem{'' if self.problems == 1 else 's'}"
        return f"{_calls(sum(self.calls.values()))} of GroupNorm in {problems}: {_counted(self.calls)}"


def preset(seen: Seen, *, model: str, at: datetime, ended: str = "") -> Preset:
    """Write the preset of a program.

    Parameters
    ----------
    seen
        Its calls; there may be none that can be measured, and then ``problems`` is 0.
    model
        The name its total stands under: the command.
    at
        When it was recorded.
    ended
        How the program ended, where that was not well.
    """
    problems: dict[Problem, dict[SeenCall, int]] = {}
    refused: Counter[str] = Counter()
    for call, count in seen.calls.items():
        made = _problem(call)
        if isinstance(made, str):
            refused[made] += count
        else:
            problems.setdefault(made, {})[call] = count
    calls: Counter[str] = Counter()
    for one, of_problem in problems.items():
        calls[one.direction] += sum(of_problem.values())
    in_order = {direction: calls[direction] for direction in DIRECTIONS if calls[direction]}
    remarks = tuple(_remarks(seen, problems, refused))
    lines = [
        f"# {model}: {_calls(calls.total())} of GroupNorm in one run of it, {_counted(in_order)}.",
        f"# Written by gnbench capture at {at.isoformat(timespec='seconds')} with torch {', '.join(seen.torch)}.",
        *(f"# The program ended early: {ended}." for _ in range(bool(ended))),
        *(f"# {remark[:1].upper()}{remark[1:]}." for remark in remarks),
    ]
    text = "\n".join([*map(_comment, lines), "", *_body(model, problems), ""])
    return Preset(text=text, problems=len(problems), calls=in_order, remarks=remarks)


def problem_line(problem: Problem, *, count: int, source: str) -> str:
    """Write a problem as a line of a TOML array; what is as usual is left out."""
    words: dict[str, tuple[str | float, str | float]] = {
        "dtype": (problem.dtype, "float32"),
        "weight_dtype": (problem.weight_dtype, problem.dtype),
        "affine": (problem.affine, True),
        "layout": (problem.layout, "contiguous"),
        "direction": (problem.direction, "forward"),
        "activation": (problem.activation, "none"),
        "eps": (problem.eps, 1e-5),
        "count": (count, 1),
        "source": (source, ""),
    }
    parts = [f"{name} = {getattr(problem, name)}" for name in ("N", "C", "H", "W", "G")]
    parts += [f"{name} = {_value(value)}" for name, (value, usual) in words.items() if value != usual]
    return f"  {{ {', '.join(parts)} }},"


def _comment(line: str) -> str:
    """Make it one line of what TOML admits in a comment."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(line.split()))


def _value(value: str | float) -> str:
    # JSON's texts, numbers and truths are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _problem(call: SeenCall) -> Problem | str:
    """Make the problem of a call, or say why the suite cannot measure it."""
    if 0 in call.shape:
        return "N = 0" if call.shape[0] == 0 else "a size of 0"
    N, C, *spatial = call.shape
    *depth, width = spatial or (1,)
    try:
        return Problem(
            N=N,
            C=C,
            H=math.prod(depth),
            W=width,
            G=call.groups,
            dtype=call.dtype,
            weight_dtype=call.weight_dtype or "",
            affine=call.weight_dtype is not None or call.bias,
            eps=float(call.eps),
            layout="contiguous" if call.layout == "strided" else call.layout,
            direction=call.direction,
            activation=call.follows if call.follows in ACTIVATIONS else "none",
        )
    except ProblemError as error:
        return str(error)


def _body(model: str, problems: Mapping[Problem, Mapping[SeenCall, int]]) -> list[str]:
    devices = {call.device for calls in problems.values() for call in calls}
    lines = []
    for direction in DIRECTIONS:
        of_direction = {one: calls for one, calls in problems.items() if one.direction == direction}
        if of_direction:
            lines.append(f"  # {direction}: {_calls(sum(sum(calls.values()) for calls in of_direction.values()))}")
        for one, calls in of_direction.items():
            lines.append(problem_line(one, count=sum(calls.values()), source=f"{model}: {_source(calls)}"))
    return [
        f"model = {_value(model)}",
        "problem = [",
        *lines,
        "]",
        "",
        *(('[sweep]\ndevice = "cuda"', "") if devices == {"cuda"} else ()),
        "[settings]",
        f"budget_s = {max(20, _BUDGET_S * len(problems))}",
    ]


def _source(calls: Mapping[SeenCall, int]) -> str:
    """Say of equal problems what follows them and how they were called otherwise."""
    follows = _tally((call.follows, count) for call, count in calls.items())
    single = next(iter(follows)) if len(follows) == 1 else None
    parts = [f"then {single}" if single else f"then {', '.join(f'{word} {count}' for word, count in follows.items())}"]
    strides = _tally((_strides(call), count) for call, count in calls.items() if call.strides is not None)
    parts += [f"{count} from strides {one}" for one, count in strides.items()]
    without = sum(count for call, count in calls.items() if call.weight_dtype is not None and not call.bias)
    parts += [f"{without} without bias"] if without else []
    return ", ".join(parts)


def _remarks(
    seen: Seen, problems: Mapping[Problem, Mapping[SeenCall, int]], refused: Mapping[str, int]
) -> Iterable[str]:
    measured = {call: count for calls in problems.values() for call, count in calls.items()}
    for reason, count in refused.items():
        yield f"{_calls(count)} cannot be measured and {_are(count)} left out: {reason}"
    strides = _tally((_strides(call), count) for call, count in measured.items() if call.strides is not None)
    if strides:
        count = sum(strides.values())
        named = [f"{one} {times}" for one, times in list(strides.items())[:_MOST_STRIDES]]
        more = f" and {len(strides) - _MOST_STRIDES} other" if len(strides) > _MOST_STRIDES else ""
        yield f"{_calls(count)} from other strides {_are(count)} measured contiguous: {', '.join(named)}{more}"
    unknown = sum(count for call, count in measured.items() if call.follows == UNKNOWN)
    if unknown:
        yield f"what follows {_calls(unknown)} could not be seen, so their activation is none"
    if seen.compiles:
        yield (
            "the program uses torch.compile, and calls inside compiled code cannot be seen; "
            "TORCHDYNAMO_DISABLE=1 runs it without"
        )
    for error, count in seen.faults.items():
        yield f"{_calls(count)} could not be looked at and {_are(count)} left out: {error}"


def _tally(counted: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for word, count in counted:
        found[word] += count
    return dict(sorted(found.items(), key=lambda one: (one[0] == NOTHING, -one[1])))


def _strides(call: SeenCall) -> str:
    return f"({', '.join(map(str, call.strides or ()))})"


def _counted(calls: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {direction}" for direction, count in calls.items()) or "none that can be measured"


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
