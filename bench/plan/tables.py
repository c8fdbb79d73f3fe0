"""Tables of a TOML file, whose errors name a key by its path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.errors import UsageError, nearest


def check_keys(given: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuse a key that is none of ``known``; ``where`` is what stands before it, its dot included."""
    for key in given:
        if key not in known:
            raise UsageError(f"{where}{key}", "is an unknown key", nearest(key, known))


def as_table(value: Any, where: str) -> Mapping[str, Any]:
    """Give a value that is a table; UsageError where it is none."""
    if not isinstance(value, Mapping):
        raise UsageError(where, f"is {value!r}", "make it a table of keys and values")
    return value
