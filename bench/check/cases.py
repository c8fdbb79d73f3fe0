"""All the cases. Each stands for a way in which kernels go wrong; sizes are the smallest that show it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

from bench.check.case import Case

_TYPES = ("float32", "float16", "bfloat16")
_HALVES = _TYPES[1:]
_LAYOUTS = ("contiguous", "channels_last")
_SMALL: dict[str, Any] = {"shape": (2, 32, 12, 10), "G": 8}
_WIDE: dict[str, Any] = {"shape": (1, 32, 96, 96), "G": 2}
"""Groups of 147,456 elements, more than one core's tile."""


@cache
def cases() -> tuple[Case, ...]:
    """Give every case, in the order of the laws; their names are unique."""
    found = (
        *_right(),
        *_shapes(),
        *_hard(),
        *_activations(),
        *_gradients(),
        *_wanted(),
        *_non_finite(),
        *_empty(),
        *_range(),
        *_constant(),
        *_deterministic(),
        *_others(),
        *_large(),
    )
    names = [case.name for case in found]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return found


def _right() -> Iterator[Case]:
    laws = ("right", "exact")
    for dtype, layout in itertools.product(_TYPES, _LAYOUTS):
        yield Case(laws=laws, **_SMALL, dtype=dtype, layout=layout, brief=True)
        yield Case(laws=laws, **_SMALL, dtype=dtype, layout=layout, affine="none")
        yield Case(laws=laws, shape=(2, 64, 40, 40), G=32, dtype=dtype, layout=layout)
    for dtype, layout in itertools.product(_HALVES, _LAYOUTS):
        yield Case(laws=laws, **_SMALL, dtype=dtype, weight_dtype="float32", layout=layout)
    for eps, layout in itertools.product((1e-12, 1e-3, 1.0), _LAYOUTS):
        yield Case(laws=laws, **_SMALL, eps=eps, layout=layout, brief=eps == 1.0)
    # A spread of 1e-6 beside an eps of 1e-12: whoever adds another eps is wrong by a factor.
    yield Case(laws=("right",), **_SMALL, eps=1e-12, content="near-constant")
    for affine in ("weight", "bias"):
        yield Case(laws=laws, **_SMALL, affine=affine)
    for dtype in ("float32", "bfloat16"):
        # Aligned to an element and no more, as a slice of a larger tensor is.
        yield Case(laws=laws, **_SMALL, dtype=dtype, memory="offset")


def _shapes() -> Iterator[Case]:
    laws = ("shapes", "exact")
    shape: tuple[int, ...]
    for dtype in ("float32", "bfloat16"):
        for shape, G in (
            ((3, 6), 3),
            ((4, 96), 8),
            ((2, 32, 50), 8),
            ((2, 7, 101), 7),
            ((2, 6, 3, 4, 5), 3),
            ((1, 16, 5, 9, 7), 2),
        ):
            yield Case(laws=laws, shape=shape, G=G, dtype=dtype, brief=len(shape) == 3)
        for layout in _LAYOUTS:
            yield Case(laws=laws, shape=(2, 6, 3, 4, 5), G=2, dtype=dtype, layout=layout)
            for shape, G in (
                ((2, 30, 7, 5), 30),  # a group a channel
                ((2, 30, 7, 5), 1),
                ((3, 15, 33, 31), 5),
                ((2, 17, 13, 11), 17),
                ((2, 40, 9, 9), 4),
                ((2, 24, 1, 1), 4),  # one position
                ((2, 48, 1, 37), 16),
                ((1, 1, 1, 17), 1),
                ((2, 1024, 3, 3), 32),
                ((64, 8, 5, 5), 2),
            ):
                yield Case(laws=laws, shape=shape, G=G, dtype=dtype, layout=layout, brief=shape == (2, 30, 7, 5))
        # One element: nothing is left of x but its weight's sign. N = 1 is in _constant: there native raises.
        yield Case(laws=("shapes",), shape=(3, 8, 1, 1), G=8, dtype=dtype)


def _hard() -> Iterator[Case]:
    laws = ("hard", "exact-hard")
    for content, layout in itertools.product(
        ("mean 1e4", "mean 1e3 spread 1e-2", "near-constant", "halves", "outlier"), _LAYOUTS
    ):
        # Without bias, which would hide how far off a narrow group is.
        affine = "none" if content == "near-constant" else "both"
        is_brief = content in {"mean 1e4", "near-constant"}
        yield Case(laws=laws, **_SMALL, content=content, layout=layout, affine=affine, brief=is_brief)
        yield Case(laws=laws, **_WIDE, content=content, layout=layout, affine=affine)
    for dtype, content in itertools.product(_HALVES, ("mean 200", "outlier")):
        yield Case(laws=laws, **_WIDE, dtype=dtype, content=content)


def _activations() -> Iterator[Case]:
    for activation, dtype, layout in itertools.product(("silu", "relu"), _TYPES, _LAYOUTS):
        common: dict[str, Any] = {**_SMALL, "activation": activation, "dtype": dtype, "layout": layout}
        yield Case(laws=("activations", "exact"), **common, brief=dtype == "float32")
        yield Case(laws=("activations", "exact-gradients"), **common, direction="backward")


def _gradients() -> Iterator[Case]:
    laws = ("gradients", "exact-gradients")
    backward: dict[str, Any] = {"laws": laws, "direction": "backward"}
    for dtype, layout in itertools.product(_TYPES, _LAYOUTS):
        yield Case(**backward, **_SMALL, dtype=dtype, layout=layout, brief=True)
        yield Case(**backward, shape=(8, 64, 24, 24), G=32, dtype=dtype, layout=layout)
    for dtype, layout in itertools.product(_HALVES, _LAYOUTS):
        yield Case(**backward, **_SMALL, dtype=dtype, weight_dtype="float32", layout=layout)
    for layout in _LAYOUTS:
        yield Case(**backward, **_SMALL, affine="none", layout=layout)
        yield Case(**backward, **_SMALL, eps=1.0, layout=layout)
        for content in ("mean 1e4", "halves", "outlier"):
            yield Case(**backward, **_SMALL, content=content, layout=layout)
        for shape, G in (((3, 15, 17, 13), 15), ((3, 15, 17, 13), 1), ((2, 24, 1, 1), 4), ((2, 16, 96, 96), 1)):
            yield Case(**backward, shape=shape, G=G, layout=layout)
        yield Case(**backward, shape=(2, 6, 3, 4, 5), G=2, layout=layout)
    yield Case(**backward, shape=(4, 96), G=8)
    yield Case(**backward, shape=(2, 32, 50), G=8)


def _wanted() -> Iterator[Case]:
    for layout, wants in itertools.product(_LAYOUTS, (("x",), ("weight", "bias"), ("weight",), ("bias",))):
        laws = ("wanted", "exact-gradients")
        yield Case(laws=laws, **_SMALL, direction="backward", wants=wants, layout=layout, brief=len(wants) == 2)


def _non_finite() -> Iterator[Case]:
    laws = ("non-finite",)
    for content, layout in itertools.product(("NaN", "infinity", "-infinity"), _LAYOUTS):
        yield Case(laws=laws, **_SMALL, content=content, layout=layout, brief=content != "-infinity")
        yield Case(laws=laws, **_SMALL, content=content, layout=layout, dtype="bfloat16")
    for activation in ("silu", "relu"):
        yield Case(laws=laws, **_SMALL, content="NaN", activation=activation)
    for content, layout in itertools.product(("NaN", "infinity"), _LAYOUTS):
        yield Case(laws=laws, **_SMALL, content=content, layout=layout, direction="backward")


def _empty() -> Iterator[Case]:
    for direction in ("forward", "backward"):
        for shape, layout in (
            ((0, 8, 4, 4), "contiguous"),
            ((0, 8, 4, 4), "channels_last"),
            ((0, 8), "contiguous"),
            ((2, 8, 0, 4), "contiguous"),
        ):
            yield Case(laws=("empty",), shape=shape, G=2, layout=layout, direction=direction, brief=not shape[0])


def _range() -> Iterator[Case]:
    laws = ("range",)
    for dtype, layout in itertools.product(_TYPES, _LAYOUTS):
        yield Case(laws=laws, **_SMALL, dtype=dtype, content="near the limit", layout=layout)
    for layout in _LAYOUTS:
        yield Case(laws=laws, **_WIDE, content="mean near the limit", layout=layout)
        yield Case(laws=laws, **_SMALL, content="scale 1e30", direction="backward", layout=layout)
        yield Case(laws=laws, **_SMALL, content="subnormal", affine="none", eps=1e-12, layout=layout)
    for dtype in _HALVES:
        yield Case(laws=laws, **_SMALL, content="mean near the limit", dtype=dtype)
    yield Case(laws=laws, **_SMALL, content="subnormal y", affine="weight", dtype="float16")


def _constant() -> Iterator[Case]:
    laws = ("constant",)
    for dtype, layout in itertools.product(_TYPES, _LAYOUTS):
        yield Case(laws=laws, **_SMALL, dtype=dtype, content="constant", layout=layout)
    for layout in _LAYOUTS:
        yield Case(laws=laws, **_WIDE, content="constant", layout=layout)
    for activation in ("silu", "relu"):
        yield Case(laws=laws, **_SMALL, content="constant", activation=activation)
    for N in (1, 3):
        yield Case(laws=laws, shape=(N, 8, 1, 1), G=8, content="constant")


def _deterministic() -> Iterator[Case]:
    for act, direction, layout in itertools.product(("again", "threads", "batch"), ("forward", "backward"), _LAYOUTS):
        laws = ("deterministic",)
        common: dict[str, Any] = {"laws": laws, "act": act, "direction": direction, "layout": layout}
        yield Case(**common, shape=(8, 32, 24, 25), G=8)
        yield Case(**common, shape=(2, 32, 1, 3), G=4, dtype="bfloat16")
        if act != "batch":
            # One group, so all threads must share it.
            yield Case(**common, shape=(1, 8, 256, 128), G=1)
        else:
            yield Case(**common, shape=(3, 8, 128, 128), G=1)


def _others() -> Iterator[Case]:
    for dtype in ("float32", "bfloat16"):
        yield Case(laws=("strided",), **_SMALL, dtype=dtype, memory="strided")
        yield Case(laws=("autocast",), **_SMALL, dtype=dtype, act="autocast")
    yield Case(laws=("strided", "exact-gradients"), **_SMALL, memory="strided", direction="backward")
    yield Case(laws=("autocast",), **_SMALL, act="autocast", direction="backward")
    for direction in ("forward", "backward"):
        yield Case(laws=("compile",), **_SMALL, act="compile", direction=direction, activation="silu")


def _large() -> Iterator[Case]:
    laws = ("large", "exact")
    gradients = ("large", "exact-gradients")
    yield Case(laws=laws, shape=(1, 10, 1024, 1024), G=1)
    for dtype, layout in itertools.product(("float32", "bfloat16"), _LAYOUTS):
        common: dict[str, Any] = {"shape": (1, 32, 1024, 1024), "G": 1, "dtype": dtype, "layout": layout}
        yield Case(laws=laws, **common, size="big")
        yield Case(laws=gradients, **common, direction="backward", size="big")
    for layout in _LAYOUTS:
        # 2^31 + 2^20 elements, of which the last group lies wholly beyond what 31 bits reach.
        yield Case(
            laws=("large",),
            shape=(2049, 32, 256, 128),
            G=8,
            dtype="bfloat16",
            layout=layout,
            size="big",
            groups_judged=6,
        )
