"""Sees every GroupNorm call of a program, and what takes its result first; changes no result.

In order: ``calls`` (alike ones, counted), ``watched`` (what follows), ``compiling`` (when not to watch),
``recorder`` (keeps the counts), ``patch`` (how a call is seen).

Self-contained on purpose (torch and the standard library, relative imports): ``inject/sitecustomize.py`` loads this
folder by its path into a user's program, whose interpreter need not have the rest.
"""

from __future__ import annotations

from .calls import NOTHING, UNKNOWN
from .patch import leave, listen
from .recorder import Recorder

__all__ = ["NOTHING", "UNKNOWN", "Recorder", "leave", "listen"]
