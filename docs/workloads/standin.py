"""A stand-in for torchvision, which timm imports at its start and no model here calls.

No torchvision is built for each CPU build of torch; empty classes and one real enumeration are enough for timm.
"""

from __future__ import annotations

import enum
import importlib.machinery
import sys
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import ClassVar


class InterpolationMode(enum.Enum):
    """timm reads its members when it is imported."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class _Empty(ModuleType):
    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return InterpolationMode if name == "InterpolationMode" else type(name, (), {})


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name.split(".", maxsplit=1)[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def install() -> None:
    """Let ``import torchvision`` give empty modules."""
    sys.meta_path.insert(0, _Finder())
