"""Which timers measure which device, and what they need; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from bench.errors import UsageError

TIMERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"cpu": ("host",), "cuda": ("events", "graph", "cupti", "nvbench")}
)
"""The first is the device's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """A package that a timer needs, by the name of the extra that brings it."""

    module: str
    package: str
    extra: str


EXTRAS: Mapping[str, Extra] = MappingProxyType(
    {
        "cupti": Extra(module="cupti", package="cupti-python", extra="cupti"),
        "nvbench": Extra(module="cuda.bench", package="cuda-bench", extra="nvbench"),
    }
)


def refuse_what_cannot_time(device: str, timer: str | None, *, sustained: bool) -> None:
    """Refuse a timer of another device or without its package, and sustained load where there is none.

    Raises
    ------
    UsageError
        Names the option and the mend.
    """
    own = TIMERS[device]
    if timer is not None and timer not in own:
        known = own[0] if len(own) == 1 else f"{', '.join(own[:-1])} or {own[-1]}"
        raise UsageError("--timer", f"{timer!r} does not measure {device} here", f"use {known}")
    if sustained and device != "cuda":
        raise UsageError("--sustained", f"{device} has no clock that a stretch of load would settle", "leave it out")
    extra = EXTRAS.get(timer or "")
    if extra is not None and not _is_installed(extra.module):
        found = f"{timer!r} needs {extra.package}, which is not installed"
        raise UsageError("--timer", found, f"pip install 'groupnorm-bench[{extra.extra}]'")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False
