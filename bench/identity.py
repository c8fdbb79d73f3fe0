"""What must stay the same while a run goes on: the environment, in words that two moments can be compared by.

A pass measured before an upgrade and one after it are no two passes of one thing, and their mean is nobody's figure.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_VERSIONS = ("groupnorm-bench", "torch", "triton", "cuda-core", "cuda-bindings", "nvidia-cuda-nvrtc", "numpy")
_SOURCES = frozenset({".py", ".cu", ".cuh", ".cpp", ".h"})
_VARIABLES = ("ATEN_", "CUDA_", "GLIBC_TUNABLES", "GOMP_", "KMP_", "LD_LIBRARY_PATH", "LD_PRELOAD", "MALLOC_", "MKL_",
              "NVIDIA_", "OMP_", "PYTORCH_", "TORCH", "TRITON_")  # fmt: skip
"""Beginnings of the variables that reach a worker and that its libraries read."""
_COMPILERS = frozenset({"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS"})
_ABSENT = "absent"


def identity(
    facts: Mapping[str, Any], *, plugins: Iterable[str], threads: int | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Name what a worker's figures hang on, as plain text.

    Parameters
    ----------
    facts
        What ``host.facts`` gives.
    plugins
        Plugin files, whose contents count.
    threads
        CPU threads of a worker.
    environ
        The environment that workers inherit. Values that hold a path are kept as a digest: a report is shared.
    """
    host, cpu = (facts.get(name) or {} for name in ("host", "cpu"))
    versions = facts.get("versions") or {}
    return {
        "Python": str(host.get("python")),
        **{name: str(versions.get(name) or _ABSENT) for name in _VERSIONS},
        "kernels' sources": _package("kernels"),
        "harness's sources": _package("bench"),
        "system": f"{host.get('system')} {host.get('machine')}",
        "CPU": str(cpu.get("model")),
        "cores": str(cpu.get("available_cores")),
        "CPU quota": str(cpu.get("quota_cores")),
        "threads": str(threads),
        "GPU": ", ".join(f"{gpu.get('name')} (driver {gpu.get('driver')})" for gpu in facts.get("gpu") or ())
        or _ABSENT,
        **{f"plugin {Path(plugin).name}": _file(Path(plugin).expanduser()) for plugin in plugins},
        **_installed_plugins(),
        **{f"variable {name}": _value(environ[name]) for name in sorted(environ) if _matters(name)},
    }


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Tell in words what is not as it was; empty when all is.

    >>> changes({"torch": "2.12.0"}, {"torch": "2.13.0"})
    ['torch was 2.12.0 and is 2.13.0']
    """
    return [
        f"{name} was {then.get(name, _ABSENT)} and is {now.get(name, _ABSENT)}"
        for name in dict.fromkeys((*then, *now))
        if then.get(name, _ABSENT) != now.get(name, _ABSENT)
    ]


def _matters(name: str) -> bool:
    return name.startswith(_VARIABLES) or name in _COMPILERS


def _value(text: str) -> str:
    return _digest([text.encode()]) if os.sep in text else text


def _file(path: Path) -> str:
    """Digest a plugin: a file, or a folder's sources."""
    files = sorted(one for one in path.rglob("*") if one.suffix in _SOURCES) if path.is_dir() else [path]
    try:
        return _digest(one.read_bytes() for one in files)
    except OSError:
        return _ABSENT


def _package(name: str) -> str:
    """Digest a package's sources without importing it."""
    spec = find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return _file(Path(places[0])) if places else _ABSENT


def _installed_plugins() -> dict[str, str]:
    found = {}
    for point in entry_points(group="groupnorm_bench.kernels"):
        owner = point.dist
        found[f"plugin {point.name}"] = f"{owner.name} {owner.version}" if owner else point.value
    return found


def _digest(contents: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=6)
    for content in contents:
        digest.update(hashlib.blake2b(content).digest())
    return digest.hexdigest()
