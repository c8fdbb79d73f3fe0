"""What was looked at, how much it matters, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Something cannot be measured here; what can is not touched by it."""
    WARNING = "warning"
    """Figures from here are less trustworthy."""
    PROBLEM = "problem"
    """Nothing can be measured before this is mended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    why: str = ""
    """Why it matters; empty where all is well, as is ``mend``."""
    mend: str = ""
