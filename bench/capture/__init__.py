"""What a user's own program asks of GroupNorm, as a preset that ``gnbench run --config`` measures.

The way of the data: ``seeing`` (in the user's processes; stands by itself) sees calls and counts them, ``seen`` sums up
processes, ``preset`` makes problems and TOML of them, ``written`` puts it in its place. ``child`` runs a command with
``inject`` in front of its PYTHONPATH; ``capture`` below records in the process at hand.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.capture.recording import Recording


@contextmanager
def capture(out: Path | str | None = None, *, model: str = "", force: bool = False) -> Iterator[Recording]:
    """Record every GroupNorm call of the block, in all of this process's threads, and change none of its results.

    Parameters
    ----------
    out
        A TOML file to write when the block ends, also by an exception; None writes none.
    model
        The name its total stands under; by default the words that started this program.
    force
        Replace ``out`` where it is there already.

    Raises
    ------
    UsageError
        ``out`` is there already or cannot be written, or no call was seen that can be measured.

    Examples
    --------
    >>> import torch
    >>> with capture() as recording, torch.no_grad():
    ...     y = torch.nn.functional.silu(torch.nn.GroupNorm(4, 8)(torch.ones(2, 8, 6, 6)))
    >>> recording.preset().summary
    '1 call of GroupNorm in 1 problem: 1 forward'
    """
    from bench.capture.recording import Recording, listening  # noqa: PLC0415 - torch, which the command does without
    from bench.capture.written import check, write  # noqa: PLC0415

    path = None if out is None else Path(out)
    if path is not None:
        check(path, force=force)
    recording = Recording(model=model or shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
    failed = True
    try:
        with listening(recording):
            yield recording
        failed = False
    finally:
        made = recording.preset("an exception" if failed else "")
        if path is not None and (made.problems or not failed):
            write(path, made)
