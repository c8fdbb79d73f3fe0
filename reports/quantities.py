"""Values to words: SI prefixes, intervals, labels of problems. Null is an en dash, everywhere."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

NULL = "–"
TIMES = "×"

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
_SHAPE = ("N", "C", "H", "W")
_DEFAULT = {"activation": "none", "affine": True, "eps": 1e-5, "layout": "contiguous", "direction": "forward"}
_SAID = ("activation", "dtype", "weight_dtype", "affine", "eps", "layout", "direction", "device")


def is_null(value: Any) -> bool:
    """Say whether a value of a frame is null (None, NaN or pandas' NA)."""
    return bool(pd.isna(value))


def significant(value: float, digits: int = 3) -> str:
    """Round to significant digits and write without an exponent, trailing zeros kept.

    >>> significant(1.0), significant(41.25), significant(1234.5)
    ('1.00', '41.2', '1234')
    """
    if value == 0:
        return "0"
    # 9.996 has one digit before the point and, once rounded to three digits, two.
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    return f"{value:.{max(digits - 1 - exponent, 0)}f}"


def with_prefix(value: Any, unit: str, digits: int = 3) -> str:
    """Write a quantity with the SI prefix that leaves one to three digits before the point.

    >>> with_prefix(1.23e-5, "s"), with_prefix(5_242_880, "B"), with_prefix(None, "s")
    ('12.3 µs', '5.24 MB', '–')
    """
    if is_null(value):
        return NULL
    value = float(value)
    if value == 0:
        return f"0 {unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    power = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), -15), 15)
    scaled = rounded / 10.0**power
    if not -15 < power < 15:
        return f"{scaled:.{digits}g} {_PREFIXES[power]}{unit}"
    return f"{significant(scaled, digits)} {_PREFIXES[power]}{unit}"


def seconds(value: Any) -> str:
    """Write a time.

    >>> seconds(0.000_012_34)
    '12.3 µs'
    """
    return with_prefix(value, "s")


def byte_count(value: Any) -> str:
    """Write a number of bytes, exactly below a thousand.

    >>> byte_count(512), byte_count(0), byte_count(2_621_440)
    ('512 B', '0 B', '2.62 MB')
    """
    if not is_null(value) and abs(value) < 1000 and float(value).is_integer():
        return f"{int(value)} B"
    return with_prefix(value, "B")


def bandwidth(value: Any) -> str:
    """Write bytes a second.

    >>> bandwidth(41.2e9)
    '41.2 GB/s'
    """
    return with_prefix(value, "B/s")


def ratio(value: Any) -> str:
    """Write a ratio with the multiplication sign.

    >>> ratio(1.6234)
    '1.62×'
    """
    return NULL if is_null(value) else f"{significant(float(value))}{TIMES}"


def interval(low: Any, high: Any) -> str:
    """Write the ends of an interval of ratios; empty when there is none.

    >>> interval(1.58, 1.66)
    '[1.58, 1.66]'
    """
    return "" if is_null(low) or is_null(high) else f"[{significant(float(low))}, {significant(float(high))}]"


def ratio_with_interval(value: Any, low: Any, high: Any) -> str:
    """Write a ratio with its interval.

    >>> ratio_with_interval(1.62, 1.58, 1.66)
    '1.62× [1.58, 1.66]'
    """
    return f"{ratio(value)} {interval(low, high)}".rstrip()


def percent(value: Any) -> str:
    """Write a fraction in per cent, two significant digits.

    >>> percent(0.0213), percent(0.97), percent(1)
    ('2.1 %', '97 %', '100 %')
    """
    return NULL if is_null(value) else f"{significant(100 * float(value), 2)} %"


def ulp(value: Any) -> str:
    """Write units in the last place.

    >>> ulp(0.513)
    '0.51 ULP'
    """
    return NULL if is_null(value) else f"{significant(float(value), 2)} ULP"


def small(value: Any) -> str:
    """Write a number whose size is all that matters, such as an error.

    >>> small(3.456e-7)
    '3.46e-07'
    """
    return NULL if is_null(value) else f"{float(value):.2e}"


def count(value: Any) -> str:
    """Write a count.

    >>> count(6), count(None)
    ('6', '–')
    """
    return NULL if is_null(value) else f"{float(value):g}"


def plural(number: int, noun: str) -> str:
    """Write a count with its noun.

    >>> plural(1, "problem"), plural(2, "problem")
    ('1 problem', '2 problems')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(words: Collection[str]) -> str:
    """Join words as a sentence does.

    >>> listed(["cpp", "native", "naive"])
    'cpp, native and naive'
    """
    *first, last = list(words) or [NULL]
    return f"{', '.join(first)} and {last}" if first else last


def qualifiers(row: Mapping[str, Any], common: Collection[str] = ()) -> str:
    """Say what of a problem is not its shape, leaving out defaults and the columns in ``common``."""
    words = []
    for name in _SAID:
        value = row[name]
        if name in common or is_null(value) or value == _DEFAULT.get(name):
            continue
        if name == "weight_dtype":
            words += [f"weight {value}"] if value != row["dtype"] else []
        elif name == "affine":
            words.append("no affine")
        elif name == "eps":
            words.append(f"eps={value:g}")
        else:
            words.append(str(value))
    return " ".join(words)


def problem_label(row: Mapping[str, Any], common: Collection[str] = ()) -> str:
    """Name a problem in words: shape, groups, and what is neither default nor in ``common``.

    ``row`` has the problem's columns; ``common`` names those that all problems of a report share and that are
    therefore said once, above.

    >>> problem_label({"N": 2, "C": 320, "H": 64, "W": 64, "G": 32, "dtype": "float32", "weight_dtype": "float32",
    ...     "affine": True, "eps": 1e-5, "layout": "channels_last", "direction": "forward", "activation": "silu",
    ...     "device": "cpu"}, common={"device"})
    '2×320×64×64 G=32 silu float32 channels_last'
    """
    shape = TIMES.join(str(row[name]) for name in _SHAPE)
    return f"{shape} G={row['G']} {qualifiers(row, common)}".rstrip()
