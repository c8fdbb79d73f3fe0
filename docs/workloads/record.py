r"""Write the presets of real models: every GroupNorm call of one forward pass, counted.

    python -m pip install torch==2.13.0 diffusers==0.42.1 transformers==5.24.0 timm==1.0.31 monai==1.6.1 \
        scikit-image && python -m pip install --no-deps pytorch-3dunet==1.9.6
    python docs/workloads/record.py bench/presets

Needs no weights, no GPU and no network; 20 s. It prints the table of docs/workloads.md.
"""

# ruff: noqa: T201 (a script: it prints its table)
from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from calls import Call
from models import MODELS, Model

from bench.capture.preset import problem_line
from bench.plan.problem import Problem

PACKAGES = ("torch", "diffusers", "transformers", "timm", "monai", "pytorch3dunet")
FUSED = ("silu", "relu")
"""The activations that a problem can have; a norm that gelu, elu or anything else follows has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One problem of a preset: its calls differ in what follows, if that is no activation a problem can have."""

    call: Call
    count: int
    follows: tuple[str, ...]

    def toml(self, model: Model) -> str:
        """Write it as a line of a TOML array."""
        one = self.call
        problem = Problem(
            **{name: getattr(one, name) for name in ("N", "C", "H", "W", "G")},
            dtype=model.dtype,
            eps=one.eps,
            layout="channels_last" if one.layout == "channels_last" else "contiguous",
            activation=one.follows if one.follows in FUSED else "none",
        )
        strides = "from a permuted input, " if one.layout == "strided" else ""
        return problem_line(
            problem, count=self.count, source=f"{model.title}: {strides}then {' or '.join(self.follows)}"
        )


def lines(calls: tuple[Call, ...]) -> list[Line]:
    """Put equal problems together, in the order of the first of each."""
    together: dict[Call, list[str]] = {}
    for call in calls:
        problem = call if call.follows in FUSED else replace(call, follows="none")
        together.setdefault(problem, []).append(call.follows)
    return [
        Line(call=problem, count=len(follows), follows=tuple(dict.fromkeys(follows)))
        for problem, follows in together.items()
    ]


def preset(model: Model, calls: tuple[Call, ...]) -> str:
    """Write a preset's text."""
    problems = "\n".join(line.toml(model) for line in lines(calls))
    whole = f'model = "{model.title}"\n' if model.is_whole else ""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"""\
# {model.title}: all {len(calls)} calls of GroupNorm in one forward pass.
# Source: {model.source}.
# Written by docs/workloads/record.py with {packages}; change it there.

{whole}problem = [
{problems}
]

[settings]
budget_s = {max(20, 4 * len(lines(calls)))}
"""


def row(model: Model, calls: tuple[Call, ...]) -> str:
    """Write the model's line of the table."""
    itemsize = 4 if model.dtype == "float32" else 2
    shapes = len({replace(call, eps=0.0, layout="", follows="") for call in calls})
    groups = sorted({call.G for call in calls})
    of_groups = f"{groups[0]} … {groups[-1]}" if len(groups) > 2 else " and ".join(map(str, groups))
    follows = Counter(call.follows for call in calls)
    followed = ", ".join(f"{name} {count}" for name, count in follows.most_common())
    gigabytes = 2 * itemsize * sum(call.elements for call in calls) / 1e9
    cells = len(lines(calls))
    return (
        f"| `{model.name}` | {len(calls)} | {shapes} | {cells} | {of_groups} | {followed} | {gigabytes:.3f} | "
        f"{model.dtype} | {model.source} |"
    )


def main(folder: Path) -> None:
    r"""Write the presets into ``folder`` and print the table."""
    print("| preset | calls | shapes | problems | G | followed by | GB | dtype | source |")
    print("|---|---|---|---|---|---|---|---|---|")
    for model in MODELS:
        calls = model.calls()
        (folder / f"{model.name}.toml").write_text(preset(model, calls), encoding="utf-8")
        print(row(model, calls))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
