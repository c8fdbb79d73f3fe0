"""Builds ``group_norm.cpp`` once, with the system's compiler, and keeps the library in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import filelock
import platformdirs
import torch
from torch.utils import cpp_extension

SOURCE = Path(__file__).with_name("group_norm.cpp")


class BuildError(RuntimeError):
    """The compiler refused; the message is its first error."""


def compiler() -> str | None:
    """Find the system's C++ compiler: $CXX, else the first of g++, clang++, c++ on PATH."""
    if named := os.environ.get("CXX"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)


def cache_folder() -> Path:
    """Give the folder of the built libraries: $GNBENCH_CACHE_DIR, else the user's cache folder."""
    return Path(os.environ.get("GNBENCH_CACHE_DIR") or platformdirs.user_cache_dir("groupnorm-bench")) / "cpp"


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
    parts = (source.read_text(), *flags, _version(command), _cpu(), torch.__version__)
    key = hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    library = cache_folder() / f"group_norm-{key}{sysconfig.get_config_var('SHLIB_SUFFIX') or '.so'}"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{library}.lock"):
            if not library.exists():
                _compile([command, *flags, str(source), *_linking()], library)
    return library


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


def _compile(command: Sequence[str], library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        built = Path(folder) / library.name
        done = subprocess.run([*command, "-o", str(built)], capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"{command[0]} exited with {done.returncode}"]
            raise BuildError(next((line for line in lines if "error" in line), lines[0]))
        # A process that looks while we write must see all of it or nothing.
        built.replace(library)


@cache
def _version(command: str) -> str:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _cpu() -> str:
    """Name the CPU and what it can do: ``-march=native`` depends on both."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(next((li for li in lines if li.startswith(word)), "") for word in ("model name", "flags", "Features"))
