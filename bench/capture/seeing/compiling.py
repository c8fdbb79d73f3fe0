"""Whether the program compiles: ``torch.compile`` must meet plain tensors only.

Compiled code is made for the classes of its arguments, so no result may be watched that could become one. Many packages
decorate functions with ``torch.compile`` and never call them; so it is the first compilation that counts. Then what is
watched is let go, before the compiler looks at it, and nothing is watched any more.
"""

from __future__ import annotations

import sys

from .watched import release_everything

_state = {"heard": False, "at work": False}


def is_at_work() -> bool:
    """Say whether anything was compiled in this process."""
    if not _state["heard"] and "torch._dynamo.callback" in sys.modules:
        _state["heard"] = _hear()
    return _state["at work"]


def _hear() -> bool:
    callback = sys.modules["torch._dynamo.callback"]
    register = getattr(callback, "on_compile_start", None)
    if register is None:  # being imported just now
        return False
    frames = getattr(sys.modules.get("torch._dynamo.utils"), "counters", {}).get("frames", {})
    _state["at work"] = bool(frames)  # before we listened
    register(lambda _: _begin())
    return True


def _begin() -> None:
    if not _state["at work"]:
        _state["at work"] = True
        release_everything()
