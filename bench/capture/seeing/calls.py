"""Calls that are alike, counted."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = "nothing"
"""No function took the result: a program's output, or unused."""
UNKNOWN = "unknown"
"""The result could not be watched: a tensor subclass's, or one in a program that uses ``torch.compile``."""

LOCK = threading.Lock()
"""Whoever counts holds it: a program may have threads, and autograd has some of its own."""


class Given(NamedTuple):
    """What a call was given."""

    x: Any
    num_groups: int
    weight: Any
    bias: Any
    eps: float


class Call:
    """Calls that are alike but for what follows them."""

    __slots__ = ("facts", "follows", "gradients", "made")

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.made = 0
        self.follows: Counter[str] = Counter()
        """How many of them had their result taken by which function."""
        self.gradients: Counter[str] = Counter()
        """How many gradients were computed, by what followed the call."""

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one row for each direction and function that follows."""
        direction = "training_forward" if self.facts["training"] else "forward"
        counts = self.follows.copy()
        counts[NOTHING if self.facts["watched"] else UNKNOWN] += self.made - sum(self.follows.values())
        facts = {name: value for name, value in self.facts.items() if name not in {"training", "watched"}}
        for way, counted in ((direction, counts), ("backward", self.gradients)):
            for follows, count in counted.items():
                if count:
                    yield facts | {"direction": way, "follows": follows, "count": count}
