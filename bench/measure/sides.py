"""Two copies of ``kernels`` in one process, each under a name of its own: so near, a ratio moves by 0.2 to 0.6 %.

A copy imports itself relatively only and its operators' namespace follows from its name, so two never meet.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from bench.measure.messages import Side, sided
from kernels.table import Implementation


def load(side: Side, *, shuffle: random.Random, announce: Callable[[str], None]) -> dict[str, Implementation]:
    """Import a side's package and what enters rows in it; give them by their sided names.

    Parameters
    ----------
    side
        Where the package lies, its plugin files, and which built-in rows are wanted.
    shuffle
        Shuffles the order of imports.
    announce
        Is told each source's sided name before it is imported.

    Raises
    ------
    ImportError
        There is no such package, or it cannot be imported.
    """
    package = f"kernels_{side.label}"
    if package not in sys.modules:
        _import(package, Path(side.root) / "kernels")
    discovery = import_module(f"{package}.discovery")
    rows = discovery.load(
        side.names,
        [Path(plugin) for plugin in side.plugins],
        shuffle=shuffle,
        announce=lambda name: announce(sided(name, side.label) if name else ""),
    )
    return {sided(name, side.label): replace(row, name=sided(name, side.label)) for name, row in rows.items()}


def _import(package: str, folder: Path) -> None:
    spec = spec_from_file_location(package, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
        raise ImportError(f"there is no package {folder}")
    module = sys.modules[package] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[package]
        raise
