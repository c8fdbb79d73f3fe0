"""Launches written down instead of made, and what Triton would know of their arguments at compile time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

COUNTS = (
    "samples",
    "groups",
    "rows",
    "lines",
    "group_blocks",
    "along",
    "blocks",
    "all_blocks",
    "across",
    "chunks",
    "slots_along",
    "slots_chunks",
    "tiles",
    "samples_each",
)
"""Arguments that stay numbers where they are 1, and need no kernel of their own where 16 divides them."""

_OPTIONS = ("num_warps", "enable_fp_fusion", "maxnreg")
_POINTERS = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One ``kernel[grid](*arguments, **constants)``, its options apart."""

    module: str
    kernel: str
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]
    constants: dict[str, Any]
    options: dict[str, Any]

    def specialized(
        self, names: Sequence[str]
    ) -> tuple[dict[str, str], dict[tuple[int], Any], dict[tuple[int], list[Any]]]:
        """Give signature, constants and attributes, as Triton makes them of a call of a kernel with these names."""
        types = dict.fromkeys(names, "constexpr")
        constants = {(names.index(name),): value for name, value in self.constants.items()}
        attributes: dict[tuple[int], list[Any]] = {}
        for place, (name, given) in enumerate(zip(names, self.arguments, strict=False)):
            if isinstance(given, Tensor):
                types[name] = _POINTERS[given.dtype]
            elif isinstance(given, float):
                types[name] = "fp32"
            elif given == 1 and name not in COUNTS:
                constants[place,] = 1
                continue
            else:
                types[name] = "i32" if given < 2**31 else "i64"
            # torch's memory begins at multiples of 512 bytes.
            if isinstance(given, Tensor) or (isinstance(given, int) and name not in COUNTS and given % 16 == 0):
                attributes[place,] = [["tt.divisibility", 16]]
        return types, constants, attributes


class Recorder:
    """Stands where a module of kernels would, and writes down what is launched."""

    def __init__(self, module: str, launches: list[Launch]) -> None:
        self._module, self._launches = module, launches

    def __getattr__(self, kernel: str) -> _Kernel:
        return _Kernel(kernel, self._module, self._launches)


class _Kernel:
    def __init__(self, name: str, module: str, launches: list[Launch]) -> None:
        self._name, self._module, self._launches = name, module, launches

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def launch(*arguments: Any, **named: Any) -> None:
            self._launches.append(
                Launch(
                    module=self._module,
                    kernel=self._name,
                    grid=grid,
                    arguments=arguments,
                    constants={name: value for name, value in named.items() if name not in _OPTIONS},
                    options={name: value for name, value in named.items() if name in _OPTIONS},
                )
            )

        return launch
