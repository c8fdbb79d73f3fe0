"""Colour and marker of a norm: the same in every picture of every study."""

from __future__ import annotations

from collections.abc import Iterable

from .style import Look, look

_SLOTS = {"none": 7, "batch": 5, "layer": 2, "group": 0, "instance": 3}


def norm(name: str) -> Look:
    """Say how a norm is drawn; all numbers of groups alike, since a picture shows one of them."""
    return look(_SLOTS.get(name.partition(" ")[0], len(_SLOTS) + 3))


def norms(names: Iterable[str]) -> dict[str, Look]:
    """Say how each norm is drawn."""
    return {name: norm(name) for name in names}
