"""A lock for each GPU and each core: two runs that compute on one device spoil each other's figures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.devices.room import gpu_used
from bench.errors import UsageError
from bench.record.holding import CannotHold, Held, hold

SHARE = "GNBENCH_SHARE_DEVICE"
"""Set to 1, nothing is claimed and nobody looked for: for tests, and for those who know better."""


def is_shared() -> bool:
    """Say whether the user allows others on the device."""
    return os.environ.get(SHARE) == "1"


def cores_of(threads: int) -> tuple[int, ...]:
    """Give the cores that a worker of so many threads is pinned to: the last ones it may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = sorted(affinity(0)) if affinity else range(os.cpu_count() or 1)
    return tuple(cores[-threads:])


@contextmanager
def claimed(device: str, threads: int, run: Path, warn: Callable[[str], object]) -> Iterator[None]:
    """Hold what a run computes on: its GPU, or each of its cores, in order.

    Where the locks cannot be made (another user's, a read-only system) the run goes on and ``warn`` is told.

    Raises
    ------
    UsageError
        Another run holds one of them; the message names its process and its folder.
    """
    if is_shared():
        yield
        return
    with ExitStack() as held:
        if (name := gpu_used(device)) is not None:
            _claim(held, _Claim(name=name, what=f"GPU {name}", argument="--device", other=_OTHER_GPU), run, warn)
        else:
            for core in cores_of(threads):
                claim = _Claim(name=f"core-{core}", what=f"core {core}", argument="--threads", other=_other_cores())
                _claim(held, claim, run, warn)
        yield


_OTHER_GPU = ", or name another GPU in CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    """One thing to claim, and the words of its refusal."""

    name: str
    what: str
    argument: str
    other: str


def _claim(held: ExitStack, claim: _Claim, run: Path, warn: Callable[[str], object]) -> None:
    folder = Path(tempfile.gettempdir()) / "gnbench-claims"
    try:
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)  # other users claim the same cores
        held.enter_context(hold(folder / f"{claim.name}.lock", run, 0o666))
    except Held as by:
        found = f"{by.who} is measuring on {claim.what}"
        raise UsageError(claim.argument, found, f"wait for it{claim.other}") from None
    except (CannotHold, OSError) as error:
        warn(f"{claim.what} cannot be claimed ({error}): another run on it would not be noticed")


def _other_cores() -> str:
    """Say how to leave the holder its cores, where there are others: every run takes the last that it may use."""
    cores = cores_of(1 << 16)
    return f", or give this run other cores, as with 'taskset -c {cores[0]}'" if len(cores) > 1 else ""
