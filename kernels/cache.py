"""What was built on this machine, kept in the user's cache folder under a key of all it followed from."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import filelock
import platformdirs


def folder() -> Path:
    """Give the cache folder: $GNBENCH_CACHE_DIR, else the user's."""
    return Path(os.environ.get("GNBENCH_CACHE_DIR") or platformdirs.user_cache_dir("groupnorm-bench"))


def built(kind: str, ingredients: tuple[str, ...], make: Callable[[Path], None]) -> Path:
    """Give the folder of what ``make(folder)`` builds from ``ingredients``, built if it was not yet.

    Another process that looks meanwhile sees all of it or nothing, and two never build the same.
    """
    key = hashlib.blake2b("\0".join(ingredients).encode(), digest_size=16).hexdigest()
    target = folder() / kind / key
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        filelock.FileLock(target.with_suffix(".lock")),
        tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as temporary,
    ):
        if not target.exists():
            unfinished = Path(temporary) / key
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(target)
    return target
