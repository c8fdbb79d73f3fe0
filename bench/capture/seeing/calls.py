"""Calls that are alike, counted."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = "nothing"
"""No function took the result: a program's output, or unused."""
UNKNOWN = "unknown"
"""The result could not be watched: a tensor subclass's, or one in a program that uses ``torch.compile``."""

LOCK = threading.Lock()
"""Whoever counts holds it: a program may have threads, and autograd has some of its own."""

SURE = 16
"""After so many calls of one norm that all had the same function follow, it is looked at again every so many calls.

Watching costs 5 to 20 us a call, more than half of all; a program that makes so many calls makes the same step again.
"""


class Calls:
    """Calls of one norm (one weight) that are alike but for what follows them."""

    __slots__ = ("agreed", "facts", "follows", "gradients", "made", "settled", "weight")

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.made = 0
        self.follows: Counter[str] = Counter()
        """How many of them had their result taken by which function."""
        self.gradients: Counter[str] = Counter()
        """How many gradients were computed, by what followed the call."""
        self.agreed = 0 if facts["settles"] else -1
        """How many were taken by one and the same function; -1 where they never are to settle."""
        self.settled: str | None = None
        """The function that took all so far, once that is sure."""
        self.weight: weakref.ref[Any] | None = None
        """Tells the recorder when the norm is gone."""

    def taken(self, follows: str) -> None:
        """Count what took a result; the lock is held."""
        self.follows[follows] += 1
        if self.agreed >= 0 and len(self.follows) == 1:
            self.agreed += 1
            if self.agreed >= SURE:
                self.settled = follows
        else:
            self.agreed, self.settled = -1, None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one row for each direction and function that follows."""
        direction = "training_forward" if self.facts["training"] else "forward"
        counts = self.follows.copy()
        counts[NOTHING if self.facts["watched"] else UNKNOWN] += self.made - sum(self.follows.values())
        facts = {name: value for name, value in self.facts.items() if name not in {"training", "watched", "settles"}}
        for way, counted in ((direction, counts), ("backward", self.gradients)):
            for follows, count in counted.items():
                if count:
                    yield facts | {"direction": way, "follows": follows, "count": count}
