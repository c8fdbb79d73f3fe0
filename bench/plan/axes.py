"""Words of a command line or a TOML file to the values of an axis."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from bench.errors import UsageError, nearest
from bench.plan.problem import ACTIVATIONS, DIRECTIONS, ITEM_BYTES, LAYOUTS, ProblemError

T = TypeVar("T")

_GROUPS = re.compile(r"C|(?:C\s*/\s*)?0*[1-9][0-9]*", re.ASCII)
_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def sizes(text: str, argument: str) -> tuple[int, ...]:
    """Read a comma list of positive whole numbers, each once.

    >>> sizes("1, 2,4", "-N")
    (1, 2, 4)
    """
    return _unique(whole(word, argument, least=1) for word in split(text, argument))


def groups(text: str, argument: str) -> tuple[str, ...]:
    """Read a comma list of numbers of groups: ``32``, ``C`` (a group a channel) or ``C/16`` (16 channels a group).

    >>> groups("32,c, C / 16", "-G")
    ('32', 'C', 'C/16')
    """
    return _unique(_groups_word(word, argument) for word in split(text, argument))


def resolve_groups(word: str, C: int) -> int:
    """Give the number of groups that a word of ``groups`` means for C channels.

    Raises
    ------
    ProblemError
        C is not divisible by the channels of a group.
    """
    if word == "C":
        return C
    if not word.startswith("C/"):
        return int(word)
    channels = int(word.removeprefix("C/"))
    if C % channels:
        raise ProblemError(f"C = {C} is not divisible by {channels}, so G = {word} is not a whole number")
    return C // channels


def words(text: str, known: Iterable[str], argument: str) -> tuple[str, ...]:
    """Read a comma list of known words, each once."""
    known = tuple(known)
    found = split(text, argument)
    for word in found:
        if word not in known:
            raise UsageError(argument, f"{word!r} is unknown", nearest(word, known))
    return _unique(found)


def numbers(text: str, argument: str) -> tuple[float, ...]:
    """Read a comma list of positive numbers, each once.

    >>> numbers("1e-5, 1e-6", "--eps")
    (1e-05, 1e-06)
    """
    return _unique(number(word, argument) for word in split(text, argument))


def booleans(text: str, argument: str) -> tuple[bool, ...]:
    """Read a comma list of true, yes, on, 1 and their opposites, each once."""
    return _unique(_TRUTH[word] for word in words(text.lower(), _TRUTH, argument))


def whole(word: str, argument: str, *, least: int = 0) -> int:
    """Read one whole number that is not below ``least``."""
    mend = f"give whole numbers from {least}"
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", word.strip(), re.ASCII):
        raise UsageError(argument, f"{word!r} is not a whole number of at most 18 digits", mend)
    value = int(word)
    if value < least:
        raise UsageError(argument, f"{value} is below {least}", mend)
    return value


def number(word: str, argument: str) -> float:
    """Read one positive, finite number."""
    try:
        value = float(word)
    except ValueError:
        raise UsageError(argument, f"{word!r} is not a number", "give positive numbers, as 1e-5") from None
    if not (value > 0 and math.isfinite(value)):
        raise UsageError(argument, f"{word!r} is not positive and finite", "give positive numbers, as 1e-5")
    return value


def part(word: str, argument: str) -> tuple[int, int]:
    """Read which part of how many: ``2/4`` is the second of four.

    >>> part("2/4", "--shard")
    (2, 4)
    """
    index, slash, of = word.partition("/")
    if not slash:
        raise UsageError(argument, f"{word!r} is not a part of a whole", "give it as 2/4, the second of four")
    return whole(index, argument, least=1), whole(of, argument, least=1)


def split(text: str, argument: str) -> tuple[str, ...]:
    """Cut a comma list into its words, none of them empty."""
    found = tuple(word.strip() for word in text.split(","))
    if not all(found):
        where = "is empty" if not text.strip() else f"{text!r} has an empty place between commas"
        raise UsageError(argument, where, "give one value or a comma list, as 1,2,4")
    return found


def _groups_word(word: str, argument: str) -> str:
    upper = word.upper()
    if not _GROUPS.fullmatch(upper):
        raise UsageError(argument, f"{word!r} is no number of groups", "give a number from 1, C or C/16")
    if upper == "C":
        return upper
    size = whole(upper.removeprefix("C").strip().removeprefix("/").strip(), argument, least=1)
    return f"C/{size}" if upper.startswith("C") else str(size)


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _word(known: Iterable[str]) -> Callable[[str, str], tuple[str, ...]]:
    return lambda text, argument: words(text, known, argument)


READERS: Mapping[str, Callable[[str, str], tuple[Any, ...]]] = {
    "N": sizes,
    "C": sizes,
    "H": sizes,
    "W": sizes,
    "G": groups,
    "dtype": _word(ITEM_BYTES),
    "weight_dtype": _word(ITEM_BYTES),
    "affine": booleans,
    "eps": numbers,
    "layout": _word(LAYOUTS),
    "direction": _word(DIRECTIONS),
    "activation": _word(ACTIVATIONS),
}
"""How each axis is read from (text, argument): the same on the command line and in TOML."""
