"""Builds ``group_norm.cpp`` once, with the system's compiler, and keeps the library in the user's cache folder."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils import cpp_extension

from .. import cache

SOURCE = Path(__file__).with_name("group_norm.cpp")
LIBRARY = "group_norm.so"


class BuildError(RuntimeError):
    """The compiler refused; the message is its first error."""


def compiler() -> str | None:
    """Find the system's C++ compiler: $CXX, else the first of g++, clang++, c++ on PATH."""
    if named := os.environ.get("CXX"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)


def build(namespace: str, *, source: Path = SOURCE) -> Path:
    """Give the library whose operators live in ``torch.ops.<namespace>``, compiled if it was not yet.

    The key holds whatever the machine code follows from: source, flags, compiler, CPU and torch's version.

    Raises
    ------
    BuildError
        There is no compiler, or it refuses the source.
    """
    command = compiler()
    if command is None:
        raise BuildError(f"no C++ compiler: {os.environ.get('CXX') or 'g++, clang++ or c++'} is not on PATH")
    flags = _flags(namespace)

    def make(folder: Path) -> None:
        _compile([command, *flags, str(source), *_linking(), "-o", str(folder / LIBRARY)])

    ingredients = (source.read_text(), *flags, command, _version(command), _cpu(), torch.__version__)
    return cache.built("cpp", ingredients, make) / LIBRARY


def _flags(namespace: str) -> list[str]:
    # Apple's clang for its own processors knows -mcpu alone.
    native = "-mcpu=native" if sys.platform == "darwin" and platform.machine() == "arm64" else "-march=native"
    return [
        *("-std=c++20", "-O3", native, "-shared", "-fPIC", "-fvisibility=hidden"),
        # Lets loops with a choice or a reduction in them be vectorised; no value is changed, NaN and infinity stay.
        *("-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"),
        f"-DNAMESPACE={namespace}",
        # The oldest torch we support: a library built so loads into any later one.
        "-DTORCH_TARGET_VERSION=0x020b000000000000",
    ]


def _linking() -> list[str]:
    include = [flag for path in cpp_extension.include_paths() for flag in ("-isystem", path)]
    if sys.platform == "darwin":
        return [*include, "-undefined", "dynamic_lookup"]
    return [*include, f"-L{Path(torch.__file__).parent / 'lib'}", "-ltorch_cpu"]


def _compile(command: Sequence[str]) -> None:
    # In English whatever the user speaks, for the word below.
    english = os.environ | {"LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=english)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"{command[0]} exited with {done.returncode}"]
        raise BuildError(next((line for line in lines if "error:" in line), lines[0]))


def _version(command: str) -> str:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _cpu() -> str:
    """Name the CPU and what it can do: ``-march=native`` depends on both."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(
        next((li for li in lines if li.startswith(word)), "") for word in ("model name", "flags", "Features")
    )
