"""Calls that are alike, counted.

Two things cost more than counting: watching a result (5 to 20 us) and a hook of autograd's, which the gradient comes to
(6 us in a hot loop, 20 to 40 where a training step has emptied the caches). So both are done until ``SURE`` calls in a
row agreed, and then for every ``SURE``-th call. A call between them has the same function follow; its gradient counts
only where autograd ran before the norm's next call, as it did each time it was looked at.
"""

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
"""After so many calls of one norm that agreed, it is looked at again every so many calls."""


class Runs:
    """How often autograd computed gradients in this process (``patch`` counts)."""

    are_counted = False
    made = 0


class Calls:
    """Calls of one norm (one weight) that are alike but for what follows them."""

    __slots__ = (
        "agreed", "answers", "facts", "follows", "gradients", "inferred", "known", "made", "met", "run", "settled",
        "unseen", "weight",
    )  # fmt: skip

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.made = 0
        self.follows: Counter[str] = Counter()
        """How many of them had their result taken by which function."""
        self.gradients: Counter[str] = Counter()
        """How many gradients were computed, by what followed the call."""
        self.agreed = 0 if facts["settles"] else -1
        """How many were taken by one and the same function; -1 where they never are to settle."""
        self.settled = False
        """Whether it is sure which function follows."""
        self.known = NOTHING
        """The function that took all, once that was sure."""
        self.unseen = 0
        """How many calls were taken for followed by it."""
        self.met = 0 if facts["settles"] and facts["training"] and Runs.are_counted else -1
        """How many had exactly one gradient before the next call; -1 once one had not."""
        self.answers = 1
        """How many gradients the last call had, where it was hooked."""
        self.run: int | None = None
        """Autograd's runs before the last call, where it was not hooked."""
        self.inferred = 0
        """How many gradients were counted without a hook."""
        self.weight: weakref.ref[Any] | None = None
        """Tells the recorder when the norm is gone."""

    def taken(self, follows: str) -> None:
        """Count what took a result; the lock is held."""
        self.follows[follows] += 1
        if self.agreed >= 0 and len(self.follows) == 1:
            self.agreed += 1
            if self.agreed >= SURE:
                self.settled, self.known = True, follows
        else:
            self.agreed, self.settled = -1, False

    def computed(self, follows: str) -> None:
        """Count a gradient that a hook saw; the lock is held."""
        self.gradients[follows] += 1
        self.answers += 1

    def needs_hook(self, *, is_looked_at: bool) -> bool:
        """Judge the last call's gradient and say whether this one's is to be hooked; the lock is held."""
        if self.met < 0:
            return True
        if self.run is not None:
            self.answers = int(self.run != Runs.made)
            self.inferred += self.answers
            self.run = None
        if self.answers != 1:
            self.met = -1
            return True
        self.met += 1
        if self.met > SURE and not is_looked_at:
            self.run = Runs.made
            return False
        self.answers = 0
        return True

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one row for each direction and function that follows."""
        direction = "training_forward" if self.facts["training"] else "forward"
        counts, gradients = self.follows.copy(), self.gradients.copy()
        counts[self.known] += self.unseen
        gradients[self.known] += self.inferred + (self.run is not None and self.run != Runs.made)
        counts[NOTHING if self.facts["watched"] else UNKNOWN] += self.made - counts.total()
        facts = {name: value for name, value in self.facts.items() if name not in {"training", "watched", "settles"}}
        for way, counted in ((direction, counts), ("backward", gradients)):
            for follows, count in counted.items():
                if count:
                    yield facts | {"direction": way, "follows": follows, "count": count}
