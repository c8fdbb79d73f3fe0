"""Parallel coordinates in a browser: a real mouse filters trials by axis; without JavaScript all of them are there."""

from itertools import pairwise

import chromium
import pytest
from planted_trials import FACTS, curves, make

from reports import study

NORMS = (("none", None), ("batch", None), ("layer", 1), ("group", 4), ("group", 8), ("instance", None))

# As a reader sees them: what is filtered out is faint in the picture and gone from the table.
SHOWN = """(() => {
  const opacity = (line) => Number(getComputedStyle(line).opacity);
  const lines = Array.from(document.querySelectorAll('[id^="picture-parallel-line-"]'));
  const rows = Array.from(document.querySelectorAll("#parallel tbody tr"));
  return {
    lines: lines.filter((line) => opacity(line) > 0.5).map((line) => Number(line.id.split("-").pop())),
    faint: lines.filter((line) => opacity(line) <= 0.1).length,
    rows: rows.filter((row) => getComputedStyle(row).display !== "none").map((row) => Number(row.cells[0].textContent)),
    panel: getComputedStyle(document.querySelector(".brush")).display !== "none",
    told: document.querySelector(".brush [role=status]")?.textContent,
  };
})()"""

# Where the axes stand on the screen.
AXES = """(() => {
  const svg = document.querySelector("#parallel svg.picture");
  svg.scrollIntoView({ block: "center" });
  const at = (x, y) => { const one = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()); return [one.x, one.y]; };
  const told = JSON.parse(document.querySelector(".brush script").textContent);
  return Object.fromEntries(told.axes.map((axis) => [axis.name, {
    x: at(axis.x, 0)[0],
    scale: axis.scale && [at(0, axis.scale[0])[1], axis.scale[1], at(0, axis.scale[2])[1], axis.scale[3]],
    ticks: Object.fromEntries(axis.ticks.map(([label, y]) => [label, at(0, y)[1]])),
  }]));
})()"""


@pytest.fixture(scope="module")
def trials():
    frame = make(norms=NORMS, sizes=(2, 32), rates=(0.01, 0.1), seeds=2, folds=1)
    frame.loc[0, ["status", "reason"]] = ["failed", "loss is not finite"]
    return frame


@pytest.fixture(scope="module")
def report(trials, tmp_path_factory):
    return study.write(trials, curves(trials), FACTS, tmp_path_factory.mktemp("study"))[0]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    browser = chromium.found()
    if browser is None:
        pytest.skip("no Chromium on PATH, nor in $CHROMIUM")
    with chromium.page(browser, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def axes(page, report):
    page.open(report)
    return page.value(AXES)


def numbers(trials, of=lambda row: True):
    """Number the trials that ended well and are ``of`` a kind."""
    return {row.trial for row in trials.itertuples() if row.status == "complete" and of(row)}


def is_shown(page, wanted, everyone):
    seen = page.value(SHOWN)
    assert (set(seen["lines"]), len(seen["lines"])) == (wanted, len(wanted))
    assert (set(seen["rows"]), len(seen["rows"])) == (wanted, len(wanted))
    assert seen["faint"] == len(everyone - wanted)
    return seen.get("told")


def around(axis, label, reach=6):
    """From above a tick to below it."""
    return axis["x"], axis["ticks"][label] - reach, axis["ticks"][label] + reach


def test_dragging_over_no_groups_leaves_the_norms_without(page, axes, trials):
    everyone = numbers(trials)
    told = is_shown(page, everyone, everyone)
    assert told == "Drag along an axis, or choose here, to filter."
    page.drag(*around(axes["groups"], "no groups"))
    wanted = numbers(trials, lambda row: row.norm in {"none", "batch"})
    told = is_shown(page, wanted, everyone)
    assert told.startswith(f"{len(wanted)} of {len(everyone)} trials shown; accuracy ")


def test_axes_are_filtered_together_and_a_click_lets_one_go(page, axes, trials):
    everyone = numbers(trials)
    page.drag(axes["groups"]["x"], axes["groups"]["ticks"]["8"] - 6, axes["groups"]["ticks"]["4"] + 6)
    page.drag(*around(axes["batch size"], "32"))
    is_shown(page, numbers(trials, lambda row: row.groups in {4, 8} and row.batch_size == 32), everyone)
    page.drag(axes["groups"]["x"], *[axes["groups"]["ticks"]["4"]] * 2)
    is_shown(page, numbers(trials, lambda row: row.batch_size == 32), everyone)
    page.value('document.querySelector("#parallel .brush button").click()')
    is_shown(page, everyone, everyone)


def test_the_axis_of_accuracy_is_filtered_by_its_value(page, axes, trials):
    """Between two trials that are far apart: a mouse stands on whole pixels."""
    ordered = sorted(100 * row.validation_accuracy for row in trials.itertuples() if row.status == "complete")
    least, most = max(pairwise(ordered[5:-5]), key=lambda pair: pair[1] - pair[0])
    low_y, low, high_y, high = axes["accuracy"]["scale"]
    y = low_y + ((least + most) / 2 - low) / (high - low) * (high_y - low_y)
    x, wanted = axes["accuracy"]["x"], numbers(trials, lambda row: 100 * row.validation_accuracy > least)
    page.mouse("press", x, y)
    page.mouse("move", x, high_y - 10)
    is_shown(page, wanted, numbers(trials))  # while the mouse moves
    page.mouse("release", x, high_y - 10)
    is_shown(page, wanted, numbers(trials))
    page.drag(x, y, y)
    is_shown(page, numbers(trials), numbers(trials))


def test_without_a_mouse_the_lists_filter(page, axes, trials):
    choose = """(() => {
      for (const end of ["from", "to"]) {
        const list = document.querySelector(`select[aria-label="groups ${end}"]`);
        list.value = Array.from(list.options).findIndex((one) => one.text === "no groups");
        list.dispatchEvent(new Event("change"));
      }
    })()"""
    page.value(choose)
    is_shown(page, numbers(trials, lambda row: row.norm in {"none", "batch"}), numbers(trials))


def test_without_javascript_every_trial_is_shown_and_no_control(page, report, trials):
    page.open(report, scripts=False)
    everyone = numbers(trials)
    assert is_shown(page, everyone, everyone) is None
    assert page.value(SHOWN)["panel"] is False
