"""nvtx ranges of the domain ``groupnorm_bench``: a visit and its phases, never anything inside a timed batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nvtx

DOMAIN = "groupnorm_bench"
MEASURE = "measure"
"""The range around what is measured; ``ncu`` is told to look at kernels inside it alone."""


def open_visit(name: str) -> Any:
    """Begin a visit's range; what it gives ends it."""
    return nvtx.start_range(f"visit {name}", domain=DOMAIN)


def close_visit(range_: Any) -> None:
    """End a visit's range."""
    nvtx.end_range(range_)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Mark what happens inside as one range, named for a profiler's timeline."""
    with nvtx.annotate(name, domain=DOMAIN):
        yield


@contextmanager
def measured(title: str) -> Iterator[None]:
    """Mark the measured calls of one cell: its title, so that a timeline can be read, and in it the phase.

    The phase is the process's and not the thread's (started and ended, not pushed and popped): autograd launches the
    kernels of a backward pass from a thread of its own.
    """
    with phase(title):
        range_ = nvtx.start_range(MEASURE, domain=DOMAIN)
        try:
            yield
        finally:
            nvtx.end_range(range_)
