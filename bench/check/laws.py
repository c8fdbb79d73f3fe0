"""The laws of the conformance suite: what each demands, and whether breaking it is wrong or only less than the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

REQUIRED = "required"
"""Broken, the implementation is wrong."""
EXEMPLARY = "exemplary"
"""Broken, it is not among the best; native breaks some."""

FLOAT32_BAR = 4e-7
"""Largest error of y and dX over the largest magnitude: a prototype of the method has 2.1e-7 on every case."""
PARAMETER_BAR = 1e-6
"""The same for the gradients of weight and bias, which are longer sums."""
HALF_BAR = 1e-3
"""Share of values of a 16-bit type that are not the nearest to the truth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """One column of the table."""

    name: str
    level: str
    demand: str
    """What holds where it is kept."""


_LAWS = (
    Law(name="form", level=REQUIRED, demand="y and the gradients are plain tensors of the right shape and type"),
    Law(name="layout", level=REQUIRED, demand="y and dX keep x's memory format"),
    Law(
        name="conduct",
        level=REQUIRED,
        demand="inputs are unchanged, no output lies in their memory, nothing that others share is changed",
    ),
    Law(name="right", level=REQUIRED, demand="y is within the tolerance: types, layouts, weights, any eps"),
    Law(name="shapes", level=REQUIRED, demand="the same for G = 1, G = C, odd sizes, one position, 2 to 5 dimensions"),
    Law(name="hard", level=REQUIRED, demand="the same where E[x²] − E[x]² fails: far means, narrow groups, outliers"),
    Law(name="activations", level=REQUIRED, demand="the same with silu and relu, y and gradients"),
    Law(name="gradients", level=REQUIRED, demand="dX, dweight and dbias are within the tolerance"),
    Law(name="wanted", level=REQUIRED, demand="each gradient can be had alone, and is the same"),
    Law(name="non-finite", level=REQUIRED, demand="NaN or infinity poisons its own group and nothing else"),
    Law(name="empty", level=REQUIRED, demand="N = 0, or no position: empty y and dX, zero dweight and dbias"),
    Law(name="large", level=REQUIRED, demand="groups of ten million elements and more are within the tolerance"),
    Law(
        name="exact",
        level=EXEMPLARY,
        demand="y: error at most 4e-7 of the largest magnitude; 16-bit types: 99.9 % nearest to the truth",
    ),
    Law(name="exact-hard", level=EXEMPLARY, demand="the same bars on the hard cases"),
    Law(
        name="exact-gradients",
        level=EXEMPLARY,
        demand="the same for dX; dweight and dbias 1e-6",
    ),
    Law(name="range", level=EXEMPLARY, demand="the same bars near the type's limits: up to 1e38, and subnormal"),
    Law(name="constant", level=EXEMPLARY, demand="a group of one value gives its channels' bias, to the bit"),
    Law(
        name="deterministic",
        level=EXEMPLARY,
        demand="the same bits again, with one thread or all, whatever else is in the batch",
    ),
    Law(name="strided", level=EXEMPLARY, demand="x of any strides gives the right y"),
    Law(name="autocast", level=EXEMPLARY, demand="under autocast y is right for the type it then has"),
    Law(name="compile", level=EXEMPLARY, demand="torch.compile(fullgraph=True) takes it whole"),
)
LAWS: Mapping[str, Law] = MappingProxyType({law.name: law for law in _LAWS})
BESIDES = ("form", "layout", "conduct")
"""Judged in every call, beside what the call is for."""
