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


class Gradients:
    """Which calls' gradients were computed. Whoever calls a method holds the lock."""

    __slots__ = ("answers", "inferred", "met", "run", "seen")

    def __init__(self, *, settles: bool) -> None:
        self.seen: Counter[str] = Counter()
        """How many came to a hook, by what followed the call."""
        self.met = 0 if settles and Runs.are_counted else -1
        """How many calls had exactly one before the next call; -1 once one had not."""
        self.answers = 1
        """How many the last call had, where it was hooked."""
        self.run: int | None = None
        """Autograd's runs before the last call, where it was not hooked."""
        self.inferred = 0
        """How many were counted without a hook."""

    def add(self, follows: str) -> None:
        """Count one that came to a hook."""
        self.seen[follows] += 1
        self.answers += 1

    @property
    def are_sure(self) -> bool:
        """Whether a call need not be hooked."""
        return self.met > SURE

    def go_on(self) -> bool:
        """Begin a call that is not hooked; False, and nothing done, where the last one's gradient did not come."""
        if self.run is None:
            if self.answers != 1:
                return False
        elif self.run == Runs.made:
            return False
        else:
            self.inferred += 1
        self.run = Runs.made
        return True

    def begin(self) -> None:
        """Judge the last call, and begin one that is hooked."""
        if self.run is not None:
            self.answers = int(self.run != Runs.made)
            self.inferred += self.answers
            self.run = None
        self.met = self.met + 1 if self.met >= 0 and self.answers == 1 else -1
        self.answers = 0

    def counts(self, known: str) -> Counter[str]:
        """Give how many were computed, by what followed; ``known`` follows where nobody looked."""
        counts = self.seen.copy()
        counts[known] += self.inferred + (self.run is not None and self.run != Runs.made)
        return counts


class Calls:
    """Calls of one norm (one weight) that are alike but for what follows them."""

    __slots__ = ("agreed", "facts", "follows", "gradients", "known", "left", "looks", "settled", "unseen", "weight")

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.looks = 0
        """How many were looked at."""
        self.follows: Counter[str] = Counter()
        """How many of them had their result taken by which function."""
        self.gradients = Gradients(settles=facts["settles"]) if facts["training"] else None
        self.agreed = 0 if facts["settles"] else -1
        """How many were taken by one and the same function; -1 where they never are to settle."""
        self.settled = False
        """Whether it is sure which function follows."""
        self.known = NOTHING
        """The function that took all, once that was sure."""
        self.left = 0
        """Which of the next calls is looked at again, where it is sure: 1 for the next."""
        self.unseen = 0
        """How many calls were not looked at, but for those since the last look."""
        self.weight: weakref.ref[Any] | None = None
        """Tells the recorder when the norm is gone."""

    @property
    def are_sure(self) -> bool:
        """Whether a call is as the others, for all that is known."""
        return self.settled and (self.gradients is None or self.gradients.are_sure)

    def taken(self, follows: str) -> None:
        """Count what took a result; the lock is held."""
        self.follows[follows] += 1
        if self.agreed >= 0 and len(self.follows) == 1:
            self.agreed += 1
            if self.agreed == SURE:
                self.settled, self.known, self.left = True, follows, SURE
        else:
            self._count_unseen()
            self.agreed, self.settled, self.left = -1, False, 0

    def _count_unseen(self) -> None:
        if self.settled:
            self.unseen += SURE - self.left
            self.left = SURE

    def is_counted(self) -> bool:
        """Count a call, where these are sure, without looking; False where it is to be looked at."""
        with LOCK:
            if self.left <= 1 or (self.gradients is not None and not self.gradients.go_on()):
                return False
            self.left -= 1
            return True

    def begin(self) -> bool:
        """Count a call; say whether it is looked at and not only its gradient; the lock is held."""
        if self.gradients is not None:
            self.gradients.begin()
        if self.left > 1:
            self.left -= 1
            return False
        self._count_unseen()
        self.looks += 1
        return True

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give one row for each direction and function that follows."""
        direction = "training_forward" if self.facts["training"] else "forward"
        counts = self.follows.copy()
        counts[NOTHING if self.facts["watched"] else UNKNOWN] += self.looks - counts.total()
        counts[self.known] += self.unseen + (SURE - self.left if self.settled else 0)
        gradients = Counter() if self.gradients is None else self.gradients.counts(self.known)
        facts = {name: value for name, value in self.facts.items() if name not in {"training", "watched", "settles"}}
        for way, counted in ((direction, counts), ("backward", gradients)):
            for follows, count in counted.items():
                if count:
                    yield facts | {"direction": way, "follows": follows, "count": count}
