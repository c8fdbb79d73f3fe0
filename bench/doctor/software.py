"""Packages, compiler, cache folder and GPU driver: what is there, looked up by name and never imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from bench.doctor.findings import Finding, Level

_COMPILERS = ("g++", "clang++", "c++")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Extra:
    package: str
    purpose: str
    extra: str


_EXTRAS = (
    _Extra(package="triton", purpose="the Triton kernels", extra="triton"),
    _Extra(package="cuda-core", purpose="the CUDA C++ kernels", extra="cuda"),
    _Extra(package="nvidia-cuda-nvrtc", purpose="compiling CUDA C++", extra="cuda"),
    _Extra(package="pytest-benchmark", purpose="the suite in tests/benchmarks", extra="pytest"),
)


def judge_import_names() -> Iterator[Finding]:
    """Judge whether our import names are ours."""
    ours = Path(__file__).resolve().parents[2]
    names = ("bench", "kernels", "reports")
    foreign = [name for name in names if _folder_of(name) != ours]
    if not foreign:
        yield Finding(level=Level.OK, what=f"the import names {', '.join(names)} are ours")
    for name in foreign:
        owners = importlib.metadata.packages_distributions().get(name, [])
        other = next((owner for owner in owners if owner != "groupnorm-bench"), None)
        yield Finding(
            level=Level.PROBLEM,
            what=f"the import name {name} belongs to {other or _folder_of(name) or 'nobody'}",
            why="the kernels of another program would be measured, or none",
            mend=f"uninstall {other}" if other else "install groupnorm-bench into an environment of its own",
        )


def _folder_of(name: str) -> Path | None:
    """Give the folder that a package would be imported from, without importing it."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]).resolve().parent if places else None


def judge_packages(facts: dict[str, Any]) -> Iterator[Finding]:
    """Name the packages that are missing, and what they are for."""
    if facts["versions"]["torch"] is None:
        why = "every implementation computes on its tensors"
        yield Finding(level=Level.PROBLEM, what="torch is not installed", why=why, mend="pip install torch")
    for one in _EXTRAS:
        if _version(one.package) is None:
            mend = f"pip install 'groupnorm-bench[{one.extra}]'"
            yield Finding(
                level=Level.NOTE, what=f"{one.package} is not installed", why=f"needed for {one.purpose}", mend=mend
            )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def judge_compiler() -> Iterator[Finding]:
    """Look for a C++ compiler."""
    named = os.environ.get("CXX")
    found = next((path for path in map(shutil.which, [named] if named else _COMPILERS) if path), None)
    if found:
        yield Finding(level=Level.OK, what=f"C++ compiler {found}")
    else:
        why = "the implementation cpp is built at first use, and torch.compile uses it too"
        yield Finding(
            level=Level.NOTE,
            what=f"no C++ compiler: {named or ', '.join(_COMPILERS)} not on PATH",
            why=why,
            mend="install g++ or clang++, or set CXX",
        )


def judge_cache() -> Iterator[Finding]:
    """Judge whether compiled kernels can be kept; makes no folder."""
    named = os.environ.get("GNBENCH_CACHE_DIR")
    folder = Path(named) if named else platformdirs.user_cache_path("groupnorm-bench")
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        yield Finding(level=Level.OK, what=f"compiled kernels are kept in {folder}")
    else:
        why = "compiled kernels cannot be kept"
        mend = "set GNBENCH_CACHE_DIR to a folder that you may write to"
        yield Finding(level=Level.WARNING, what=f"{nearest} cannot be written", why=why, mend=mend)


def judge_gpu(facts: dict[str, Any]) -> Iterator[Finding]:
    """Name the GPUs."""
    for gpu in facts["gpu"]:
        yield Finding(level=Level.OK, what=f"GPU {gpu['name']}, driver {gpu['driver']}")
    if not facts["gpu"]:
        why = "--device cuda needs one, and its facts need nvidia-ml-py"
        yield Finding(
            level=Level.NOTE, what="no NVIDIA GPU seen", why=why, mend="pip install nvidia-ml-py if there is one"
        )
