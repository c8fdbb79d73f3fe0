"""Whole gates in real workers, on plugin files and on revisions of this package."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from gating import git

import kernels
from bench.errors import UsageError
from bench.gate import sources
from bench.gate.asked import Asked
from bench.gate.run import gate, resume
from bench.plan.config import Settings
from bench.plan.sweep import Axes, Sweep
from reports.gate_schema import FIRST_CALL, Outcome, Word

SWEEP = Sweep(entries=(Axes(N=(2,), C=(32,), H=(16,), W=(16,), G=("8",)),))
ASKED = Asked(sweep=SWEEP, settings=Settings(budget_s=60.0, threads=1), instructions=False)


def gated(base, head, out, asked=ASKED):
    return gate(asked, lambda folder: sources.of_plugins(base, head, folder), out=out)


def words(found):
    return {row.metric: row.verdict for row in found.rows}


def test_a_slower_head_that_copies_is_caught_by_time_and_by_bytes(plugin, tmp_path):
    base, head = plugin("a.py"), plugin("b.py", before="x = [x.clone() for _ in range(40)][-1]")
    found = gated(base, head, tmp_path / "gate")
    assert found.outcome == Outcome.REGRESSION
    assert words(found) == {
        "latency": Word.REGRESSED,
        "peak_bytes": Word.REGRESSED,
        "extra_bytes": Word.REGRESSED,
        "allocated_bytes": Word.REGRESSED,
        "error": Word.UNCHANGED,
        "first_call": Word.UNCHANGED,
    }
    (latency,) = [row for row in found.rows if row.metric == "latency"]
    assert 1.015 < latency.change_low < latency.change < latency.change_high
    assert latency.place == str(head)
    info = json.loads((tmp_path / "gate" / "gate.json").read_text())
    assert info["outcome"] == "regression"
    assert not found.folder.sides.exists()


def test_a_wrong_head_is_broken_and_a_new_row_is_new(plugin, tmp_path):
    base = plugin("a.py")
    wrong = plugin("b.py", after=" * 1.1")
    wrong.write_text(wrong.read_text() + wrong.read_text().replace('"mine"', '"added"').replace(" * 1.1", ""))
    found = gated(base, wrong, tmp_path / "gate")
    said = {row.implementation: (row.verdict, row.reason) for row in found.rows}
    assert said["mine"][0] == Word.BROKEN
    assert said["mine"][1].startswith("head is incorrect: ")
    assert said["added"] == (Word.NEW, "base has no such row")
    assert found.outcome == Outcome.REGRESSION
    assert gated(wrong, base, tmp_path / "back").outcome == Outcome.GONE


def test_an_undecided_gate_goes_on_with_its_own_copies(plugin, tmp_path):
    base, head = plugin("a.py"), plugin("b.py")
    short = replace(ASKED, settings=replace(ASKED.settings, budget_s=0.01))
    found = gated(base, head, tmp_path / "gate", short)
    assert (found.outcome, found.passes) == (Outcome.UNDECIDED, 0)
    assert {row.reason for row in found.rows} == {"the budget ended before its turn"}
    assert found.folder.sides.is_dir()
    longer = resume(tmp_path / "gate", 60.0)
    assert longer.passes > found.passes
    assert longer.rows[0].verdict in {Word.UNCHANGED, Word.UNDECIDED}
    assert FIRST_CALL in {row.metric for row in longer.rows}
    if longer.outcome == Outcome.CLEAR:
        with pytest.raises(UsageError, match=r"--resume: .* is decided; start a new gate"):
            resume(tmp_path / "gate", 1.0)


def test_rows_whose_sources_are_the_same_are_not_measured(tmp_path):
    """A working tree of this package itself, in which one row alone is changed: its shared files stay."""
    root = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(kernels.__file__).parent, root / "kernels", ignore=ignored)
    git(tmp_path, "init", "--initial-branch=main", str(root))
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    asked = replace(ASKED, settings=replace(ASKED.settings, impl=("native", "triton")), architectures=())

    def against_main(out):
        def make(folder):
            return sources.of_revision("main", folder, start=root, require_clean=False)

        return gate(asked, make, out=out)

    same = against_main(tmp_path / "same")
    assert same.outcome == Outcome.CLEAR
    assert {(row.implementation, row.verdict, row.reason) for row in same.rows} == {
        ("native", Word.UNCHANGED, "its source is the same on both sides"),
        ("triton", Word.UNCHANGED, "its source is the same on both sides"),
    }
    launcher = root / "kernels" / "triton" / "__init__.py"
    launcher.write_text(launcher.read_text() + "\n# a remark\n")
    changed = against_main(tmp_path / "changed")
    by_row = {row.implementation: row for row in changed.rows if row.metric == "latency"}
    assert by_row["native"].reason == "its source is the same on both sides"
    assert by_row["triton"].verdict == Word.NOT_COMPARED
    assert changed.outcome == Outcome.CLEAR


def test_what_was_asked_wrongly_leaves_no_folder(plugin, tmp_path):
    base = plugin("a.py")
    unknown = replace(ASKED, settings=replace(ASKED.settings, impl=("mime",)))
    with pytest.raises(UsageError, match=r"--impl: neither side has an implementation 'mime'; did you mean 'mine'"):
        gated(base, base, tmp_path / "gate", unknown)
    assert not (tmp_path / "gate").exists()
    with pytest.raises(UsageError, match=r"--resume: there is no folder"):
        resume(tmp_path / "gate", 1.0)


CLASHING = """
import torch
LIBRARY = torch.library.Library("clashing", "DEF")
LIBRARY.define("f(Tensor x) -> Tensor")
"""


def test_sides_that_cannot_live_in_one_process_get_one_each(plugin, tmp_path):
    files = [plugin("a.py"), plugin("b.py", before="x = [x.clone() for _ in range(40)][-1]")]
    for file in files:
        file.write_text(CLASHING + file.read_text())
    short = replace(ASKED, settings=replace(ASKED.settings, budget_s=60.0))
    found = gated(*files, tmp_path / "gate", short)
    assert found.outcome == Outcome.REGRESSION
    assert words(found)["latency"] in {Word.REGRESSED, Word.UNDECIDED}
    assert words(found)["extra_bytes"] == Word.REGRESSED
    (warning,) = [line for line in found.warnings if "two processes" in line]
    assert warning == "base and head are in two processes, for mine cannot live twice in one: figures are less sharp"


def test_an_extra_copy_of_an_interpreted_row_is_seen_in_what_it_allocates(tmp_path):
    root = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(kernels.__file__).parent, root / "kernels", ignore=ignored)
    git(tmp_path, "init", "--initial-branch=main", str(root))
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    launcher = root / "kernels" / "triton" / "__init__.py"
    text, call = launcher.read_text(), "return launch.forward(x, num_groups,"
    assert call in text
    launcher.write_text(text.replace(call, call.replace("(x,", "(x.clone(),")))
    asked = replace(ASKED, settings=replace(ASKED.settings, impl=("triton",)), architectures=())

    def make(folder):
        return sources.of_revision("main", folder, start=root, require_clean=False)

    found = gate(asked, make, out=tmp_path / "gate")
    by_metric = {row.metric: row for row in found.rows}
    assert by_metric["latency"].verdict == Word.NOT_COMPARED
    assert by_metric["allocated_bytes"].verdict == Word.REGRESSED
    assert by_metric["allocated_bytes"].head - by_metric["allocated_bytes"].base == 2 * 32 * 16 * 16 * 4
    assert by_metric["error"].verdict == Word.UNCHANGED
    assert found.outcome == Outcome.REGRESSION
    assert by_metric["allocated_bytes"].place == "kernels/triton/__init__.py"
