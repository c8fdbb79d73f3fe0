"""Which block is visited next: a new random order in every pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def order(keys: Iterable[str], pass_: int, seed: int) -> list[str]:
    """Order the open blocks of a pass: random by pass, the same for equal seeds in every process.

    Each key's place follows from its own hash, so a block that closes or was measured before a resume does not
    disturb the order of the others.
    """

    def place(key: str) -> bytes:
        return hashlib.blake2b(f"{seed}:{pass_}:{key}".encode(), digest_size=16).digest()

    return sorted(keys, key=place)
