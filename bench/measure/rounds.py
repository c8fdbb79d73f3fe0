"""Which batch next, and how many: rounds in balanced random order. No clock, no process."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence


def balanced_orders(names: Sequence[str], rng: random.Random) -> Iterator[tuple[str, ...]]:
    """Give orders of the names for ever, balanced over each full design.

    A Williams design (E. J. Williams, Aust. J. Sci. Res. A 2, 1949) of n names has n orders when n is even and 2 n
    when it is odd. In it each name stands in each position equally often and directly follows each other name equally
    often, so that neither the place in a round nor what the predecessor left in the caches favours anyone. Labels and
    the sequence of orders are random and drawn anew for each design; the first n orders of an odd design, one of its
    two squares, balance the positions by themselves.
    """
    labels = list(names)
    if not labels:
        return
    while True:
        rng.shuffle(labels)
        for square in _squares(len(labels), rng):
            for row in square:
                yield tuple(labels[place] for place in row)


def _squares(n: int, rng: random.Random) -> list[list[list[int]]]:
    # 0, 1, n-1, 2, n-2, ...: neighbours differ by 1, -2, 3, ...: each difference once (n even), or in the mirror too.
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(n)]
    square = [[(start + step) % n for step in zigzag] for start in range(n)]
    squares = [square] if n % 2 == 0 or n == 1 else [square, [row[::-1] for row in square]]
    for rows in squares:
        rng.shuffle(rows)
    rng.shuffle(squares)
    return squares


def paired_orders(names: Sequence[str], rng: random.Random) -> Iterator[tuple[str, ...]]:
    """Give orders in which the two sides of a row are neighbours, each first equally often over two orders.

    Names are sides of one row where they agree up to the ``@``; a name without its like stands alone.
    """
    rows: dict[str, list[str]] = {}
    for name in names:
        rows.setdefault(name.partition("@")[0], []).append(name)
    for first, second in _twos(balanced_orders(tuple(rows), rng)):
        flips = {row: rng.random() < 0.5 for row in rows}
        for order, is_second in ((first, False), (second, True)):
            yield tuple(name for row in order for name in _turned(rows[row], flips[row] != is_second))


def _twos(orders: Iterator[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    return zip(orders, orders, strict=False)


def _turned(names: Sequence[str], is_turned: bool) -> Sequence[str]:
    return names[::-1] if is_turned else names


def calls_for(call_s: float, *, clock_s: float, batch_s: float) -> int:
    """Give the calls of a batch: the clock's share below 1 %, the batch no shorter than asked, at least one call.

    Parameters
    ----------
    call_s
        Seconds of one call; must be positive.
    clock_s
        Seconds that reading the clock adds to a batch.
    batch_s
        Least seconds of a batch.
    """
    if call_s <= 0:
        raise ValueError(f"a call takes {call_s} s, which is no time")
    return max(1, math.floor(100 * clock_s / call_s) + 1, math.ceil(batch_s / call_s))


_MOST_STRUCK = 2
"""Struck rounds that are given again, in times the planned ones."""
FEWEST_ROUNDS = 3
"""Of one or two there is no middle half: a visit without more has no figure."""
SHORTENING = 16
"""From 2.5 ms to 0.16 ms: they fit between two time slices, and reading the clock is still below a thousandth."""


def rounds_for(round_s: float, share_s: float, least: int = 5, most: int = 12) -> int:
    """Give the rounds of a visit that fit in its share of the budget, within ``least`` and ``most``."""
    if round_s <= 0:
        return most
    return min(most, max(least, math.floor(share_s / round_s)))


Orders = Callable[[Sequence[str], random.Random], Iterator[tuple[str, ...]]]


class Rounds:
    """The rounds of one visit: asked for the next round's batches, told what became of them.

    Parameters
    ----------
    calls
        Calls of a batch, by name.
    rounds
        How many rounds there are to be.
    rng
        Where the orders come from.
    orders
        Gives orders of names for ever: ``balanced_orders`` or ``paired_orders``.
    """

    def __init__(
        self, calls: Mapping[str, int], rounds: int, rng: random.Random, orders: Orders = balanced_orders
    ) -> None:
        self._calls = dict(calls)
        self._rounds = rounds
        self._rng = rng
        self._orders_of = orders
        self._orders = orders(tuple(calls), rng)
        self._pending: tuple[str, ...] | None = None
        self._finished = 0
        self._struck = 0
        self._is_shortened = False

    @property
    def planned(self) -> int:
        """How many rounds there are to be."""
        return self._rounds

    @property
    def finished(self) -> int:
        """How many rounds are recorded."""
        return self._finished

    def next(self) -> tuple[tuple[str, int], ...] | None:
        """Give the next round's batches as (name, calls) in order, or None when there are enough or too many struck.

        A round that was given and not recorded is given again.
        """
        if self.finished >= self._rounds or self._struck >= _MOST_STRUCK * self._rounds or not self._calls:
            return None
        if self._pending is None:
            self._pending = next(self._orders)
        return tuple((name, self._calls[name]) for name in self._pending)

    def record(self) -> None:
        """Say that the last given round was timed."""
        if self._pending is None:
            raise ValueError("no round was given")
        self._finished += 1
        self._pending = None

    def strike(self) -> None:
        """Say that the last given round was disturbed: it counts for nothing and is given again."""
        self._struck += 1

    @property
    def wants_shorter(self) -> bool:
        """Say whether most rounds are struck and batches could be shorter: those fit between two time slices."""
        few = self.finished < FEWEST_ROUNDS and self._struck > self.finished
        return few and not self._is_shortened and any(one > 1 for one in self._calls.values())

    def shorten(self) -> None:
        """Begin again with a sixteenth of the calls a batch."""
        self._calls = {name: max(1, calls // SHORTENING) for name, calls in self._calls.items()}
        self._finished, self._struck, self._pending = 0, 0, None
        self._is_shortened = True

    def drop(self, name: str) -> None:
        """Let a name leave: a round not yet recorded is void, and the others go on in a new design."""
        del self._calls[name]
        self._orders = self._orders_of(tuple(self._calls), self._rng)
        self._pending = None
