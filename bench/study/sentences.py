"""A claim in words: what was found, its interval, from how many pairs, and what the pairs could have shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.stats.resampled import POWER, Resampled

AT = {"epochs": "At a fixed number of epochs", "updates": "At a fixed number of updates"}


def option(name: str) -> str:
    """Name a norm as a sentence does.

    >>> option("group 8"), option("instance")
    ('group norm with 8 groups', 'instance norm (a group a channel)')
    """
    kind, _, groups = name.partition(" ")
    if kind == "group":
        return f"group norm with {groups} groups"
    return {"none": "no norm", "layer": "layer norm (one group)", "instance": "instance norm (a group a channel)"}.get(
        kind, f"{kind} norm"
    )


def listed(words: Sequence[object], last: str = "and") -> str:
    """Join words as a sentence does.

    >>> listed([2, 8, 32])
    '2, 8 and 32'
    """
    *first, end = [str(word) for word in words]
    return f"{', '.join(first)} {last} {end}" if first else end


def points(value: float) -> str:
    """Write a difference of accuracies in percentage points, without its sign.

    >>> points(-0.0053)
    '0.53 points'
    """
    return f"{abs(100 * value):.2f} points"


def signed(low: float, high: float) -> str:
    """Write the ends of an interval of accuracies in percentage points.

    >>> signed(-0.001, 0.0032)
    '[-0.10, +0.32]'
    """
    return f"[{100 * low:+.2f}, {100 * high:+.2f}]"


def compared(found: Resampled | None, sides: tuple[str, str], *, at: str, among: str, what: str = "accurate") -> str:
    """Say whether the first side is more accurate than the second."""
    one, other = sides
    if found is None:
        return f"{at}, nothing is known of {one} against {other}: no pair of trials was completed."
    if found.low is None or found.high is None:
        return (
            f"{at}, {one} was {points(found.centre)} {_more(found.centre)} {what} than {other} in a single pair,"
            " which cannot decide."
        )
    bounds = f"{points(found.centre)} {signed(found.low, found.high)}"
    if found.low > 0 or found.high < 0:
        said = f"{one} is {_more(found.centre)} {what} than {other}, by {bounds}"
    else:
        said = f"{one} cannot be told from {other}: {_more(found.centre)} {what} by {bounds}"
    return f"{at}, {said}, {pairs(found)}{among}. {power(found)}"


def pairs(found: Resampled) -> str:
    """Count the pairs."""
    return f"{found.pairs} {'pair' if found.pairs == 1 else 'pairs'} of seed and fold"


def power(found: Resampled) -> str:
    """Say the smallest true difference that the pairs would have shown."""
    if found.smallest is None:
        return ""
    return f"A true difference of {points(found.smallest)} would have shown with {_POWER} power."


def best(leader: str, beaten: Sequence[str], equal: Sequence[str], nearest: Resampled, *, at: str, family: int) -> str:
    """Say which number of groups leads, which it beats, and which it cannot be told from."""
    parts = [f"{at}, {option(leader)} has the highest mean accuracy"]
    if beaten:
        parts.append(f"it beats {_groups(beaten, 'and')}")
    if equal:
        parts.append(f"it cannot be told from {_groups(equal, 'or')}")
    if nearest.low is not None and nearest.high is not None:
        parts.append(f"the nearest is {points(nearest.centre)} {signed(nearest.low, nearest.high)} behind")
    is_widened = family > 1 and nearest.low is not None
    widened = f" (intervals widened by Bonferroni for all {family} pairs of numbers of groups)" if is_widened else ""
    return f"{'; '.join(parts)}, {pairs(nearest)}{widened}. {power(nearest)}".rstrip()


def _groups(names: Sequence[str], last: str) -> str:
    """Name numbers of groups in short, "1, 2 or 16 groups": layer norm has one, instance norm one a channel."""
    numbers = ["1" if name == "layer" else name.partition(" ")[2] for name in names if name != "instance"]
    words = [f"{listed(numbers, last)} group{'' if numbers == ['1'] else 's'}"] if numbers else []
    return listed(words + ["a group a channel"] * ("instance" in names), last)


def swapped(found: Resampled | None, name: str, other: str, *, margin: float | None, answer: str) -> str:
    """Say whether an implementation leaves accuracy as it was."""
    if found is None:
        return f"Nothing is known of the accuracy with {name} against {other}: no pair of trials was completed."
    if found.low is None or found.high is None or margin is None:
        return (
            f"With {name} in place of {other} accuracy moved by {points(found.centre)}; the noise over seeds cannot be"
            " told from so few trials."
        )
    said = {
        "yes": "leaves accuracy as it was, within the noise over seeds",
        "no": "changes accuracy by more than the noise over seeds",
    }.get(answer, "cannot be shown to leave accuracy within the noise over seeds, nor to move it beyond")
    return (
        f"{name} in place of {other} {said}: {100 * found.centre:+.2f} points {signed(found.low, found.high)} against a"
        f" margin of {100 * margin:.2f} (the standard deviation over seeds), {pairs(found)}; two"
        f" one-sided tests at 5 % each. {power(found)}"
    )


def faster(found: Resampled | None, name: str, other: str, *, of: str) -> str:
    """Say whether a training step is faster with an implementation; ``found`` is of log ratios other / name."""
    if found is None:
        return f"Nothing is known of the time of a step with {name} against {other}: no pair of trials was completed."
    ratio = math.exp(found.centre)
    if found.low is None or found.high is None or found.smallest is None:
        return f"A training step with {name} ran at {ratio:.2f}× the speed of {other}; a single figure has no interval."
    bounds = f"{ratio:.2f}× the speed of {other} [{math.exp(found.low):.2f}, {math.exp(found.high):.2f}]"
    sure = found.low > 0 or found.high < 0
    said = f"is {'faster' if found.centre > 0 else 'slower'}" if sure else "cannot be told from it in time"
    return (
        f"A training step with {name} runs at {bounds}: it {said}, {found.pairs} {of}. A true ratio"
        f" of {math.exp(found.smallest):.3f}× would have shown with {_POWER} power."
    )


_POWER = f"{100 * POWER:.0f} %"


def _more(value: float) -> str:
    return "more" if value > 0 else "less" if value < 0 else "neither more nor less"
