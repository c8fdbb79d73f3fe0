"""Python runs this first in a program under ``gnbench capture``: this folder comes first on PYTHONPATH.

It runs the ``sitecustomize`` that it hides, if there is one, and waits for torch: a program that never imports torch
imports nothing more. Once torch is there, the recorder is loaded by its path and listens.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))
_SEEING = os.path.join(os.path.dirname(_HERE), "seeing")


def _run_the_hidden() -> None:
    path = [place for place in sys.path if os.path.abspath(place) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _load(name: str, folder: str) -> ModuleType:
    file = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[folder])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _record(folder: str) -> None:
    try:
        seeing = _load("gnbench_seeing", _SEEING)
        recorder = seeing.Recorder(folder)
        recorder.keep()
        seeing.listen(recorder)
    except Exception as error:  # the user's program goes on without us
        sys.stderr.write(f"gnbench: cannot record here ({type(error).__name__}: {error})\n")


class _AfterTorch:
    """Finds torch as the other finders do, and has something done once it is imported."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "torch":
            return None
        others = (one.find_spec(name, path, target) for one in sys.meta_path if one is not self)
        spec: ModuleSpec | None = next((found for found in others if found is not None), None)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_then(module: ModuleType) -> None:
            del loader.exec_module  # as it was: torch keeps its loader
            execute(module)
            sys.meta_path.remove(self)
            self._then()

        loader.exec_module = execute_and_then
        return spec


_folder = os.environ.get("GNBENCH_CAPTURE")
if _folder:
    sys.meta_path.insert(0, _AfterTorch(lambda: _record(_folder)))  # type: ignore[arg-type]
_run_the_hidden()
