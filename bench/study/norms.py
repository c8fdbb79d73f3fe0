"""The axis ``norm``: one flat list of words, as ``none,batch,layer,group:8,instance``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.errors import UsageError, nearest

KINDS = ("none", "batch", "layer", "group", "instance")
MOST_GROUPS = 32
"""The first layer's channels: more groups than channels there cannot be."""
_GROUP = re.compile(r"group:([0-9]{1,4})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Norm:
    """One normalization; ``groups`` is the number for ``group``, 1 for ``layer``, None otherwise."""

    kind: str
    groups: int | None = None

    @property
    def word(self) -> str:
        """The word that ``read`` makes this of."""
        return f"group:{self.groups}" if self.kind == "group" else self.kind

    @property
    def by_table(self) -> bool:
        """Whether a row of the plugin table computes it."""
        return self.kind in {"layer", "group", "instance"}

    def groups_for(self, channels: int) -> int:
        """Give the number of groups for a layer of so many channels: instance norm has a group a channel."""
        return channels if self.groups is None else self.groups


def read(word: str, argument: str = "--norm") -> Norm:
    """Read one word of the axis.

    >>> read("group:8"), read("instance").groups_for(64)
    (Norm(kind='group', groups=8), 64)

    Raises
    ------
    UsageError
        There is no such normalization, or not with so many groups.
    """
    if found := _GROUP.fullmatch(word):
        groups = int(found[1])
        if groups < 2 or groups > MOST_GROUPS or MOST_GROUPS % groups:
            mend = "give group:2, 4, 8, 16 or 32; layer is one group, instance a group a channel"
            raise UsageError(argument, f"{word!r} does not divide the {MOST_GROUPS} channels of the first layer", mend)
        return Norm(kind="group", groups=groups)
    if word == "group":
        raise UsageError(argument, "'group' has no number of groups", "give it as group:8")
    if word not in KINDS:
        raise UsageError(argument, f"{word!r} is unknown", nearest(word, (*KINDS[:3], "group:8", "instance")))
    return Norm(kind=word, groups=1 if word == "layer" else None)


def read_list(words: tuple[str, ...], argument: str = "--norm") -> tuple[str, ...]:
    """Check a comma list's words and give each once; ``group:2,4,8`` is three of them.

    >>> read_list(("batch", "group:2", "8"))
    ('batch', 'group:2', 'group:8')
    """
    found: dict[str, None] = {}
    in_group = False
    for word in words:
        full = f"group:{word}" if in_group and word.isdigit() else word
        in_group = full.startswith("group:")
        found[read(full, argument).word] = None
    return tuple(found)
