import io

import pandas as pd
import pytest
from rich.console import Console

from reports.forms.terminal import comparison, summary
from reports.schema import ComparisonRow, columns

CHANGES = pd.DataFrame(
    [
        ("cpp", "2×320×64×64 G=32", 1.6, 1.65, 1.03, 1.0, 1.06, "no difference shown"),
        ("mine", "2×320×64×64 G=32", 1.6, 0.8, 0.5, 0.48, 0.52, "slower"),
        ("cuda", "2×320×64×64 G=32", None, None, None, None, None, "unavailable in base"),
    ],
    columns=list(columns(ComparisonRow)),
)


def shown(renderable, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(renderable)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "gone"), [(140, set()), (92, {"extra memory"}), (80, {"extra memory", "latency"})])
def test_columns_go_in_the_stated_order(frames, width, gone):
    heading = next(line for line in shown(summary(frames.results, frames.info), width) if line.startswith("problem"))
    names = {"problem", "fastest", "speed-up", "interval", "latency", "error", "extra memory"}
    assert {name for name in names if name not in heading} == gone


def test_a_comparison_tells_differences_first_and_the_largest_change_before_the_rest():
    lines = shown(comparison(CHANGES, CHANGES.head(0), ["torch 2.12 and 2.13"]), 140)
    assert lines[:2] == ["The two runs were not made alike:", "  torch 2.12 and 2.13"]
    body = lines[lines.index(next(line for line in lines if line.startswith("implementation"))) + 1 :]
    assert [line.split()[0] for line in body] == ["mine", "cpp", "cuda"]
    assert "0.500×" in body[0]
    assert body[2].rstrip().endswith("unavailable in base")


def test_an_empty_comparison_says_so():
    assert shown(comparison(CHANGES.head(0), CHANGES.head(0), []), 80) == ["The two runs have no cell in common."]


def test_a_comparison_of_models_comes_before_its_cells():
    lines = shown(comparison(CHANGES, CHANGES.head(1).assign(problem="A model"), []), 140)
    assert lines[0].strip() == "The whole model: head's speed-up over base's"
    assert next(line for line in lines if "A model" in line).split()[0] == CHANGES["implementation"][0]
