"""How far a study is, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.study.going import Progressed

_LINE_S = 10.0
"""Between two plain lines of progress."""


@contextmanager
def telling() -> Iterator[tuple[Callable[[Progressed], None], Callable[[str], None]]]:
    """Show on standard error how far a study is: a bar on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal, auto_refresh=False) as bar:
        task = bar.add_task("starting", total=None)
        last: tuple[float, str] = (-_LINE_S, "")

        def tell(made: Progressed) -> None:
            left = "" if made.left_s is None else f", about {minutes(made.left_s)} left"
            bar.update(task, description=f"{made.phase}{left}", completed=made.done, total=made.of, refresh=True)
            nonlocal last
            now = time.monotonic()
            if not shown.is_terminal and (now - last[0] > _LINE_S or made.phase != last[1]):
                last = (now, made.phase)
                shown.print(escape(f"{made.phase}: {made.done:,} of {made.of:,}{left}"), soft_wrap=True)

        def warn(text: str) -> None:
            shown.print(escape(f"warning: {text}"), soft_wrap=True)

        yield tell, warn


def minutes(seconds: float) -> str:
    """Say a duration.

    >>> minutes(42), minutes(640)
    ('42 s', '11 min')
    """
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
