"""Passes over stretches, with an executor that has no workers."""

import gc
from dataclasses import replace

import pytest
from stand_in import StandIn, blocks, passes_of

from bench.events import Listener
from bench.measure.visited import Visited
from bench.plan.config import Settings
from bench.record import journal, rundir

SETTINGS = Settings(budget_s=1000, passes=7, precision_percent=1e-6)


@pytest.fixture
def make(tmp_path):
    """Make, or go on with, the passes of a run of the given name."""

    def make(name, stretches, settings=SETTINGS, listener=None, **executor):
        folder = tmp_path / name
        directory = rundir.RunDirectory(path=folder) if folder.exists() else rundir.create(folder, {})
        passes = passes_of(directory, stretches, settings, listener)
        try:
            passes.make(StandIn(**executor))
        except KeyboardInterrupt:
            return None
        return journal.read(directory.journal_path)

    return make


THREE = (blocks(6)[:2], blocks(6)[2:3], blocks(6)[3:])


def test_all_passes_of_a_stretch_are_made_before_the_next_ones(make):
    records = make("run", THREE)
    made = [(record["key"], record["pass_"]) for record in records]
    assert len(set(made)) == len(made) == 6 * 7
    expected = [(place, pass_) for place, stretch in enumerate(THREE) for pass_ in range(7) for _ in stretch]
    place_of = {block.key: place for place, stretch in enumerate(THREE) for block in stretch}
    assert [(place_of[key], pass_) for key, pass_ in made] == expected


def test_a_pass_begins_on_a_launch_of_its_own_and_none_comes_back(make):
    launches = [record["launch"] for record in make("run", THREE)]
    assert launches == sorted(launches)
    assert launches[-1] == (3 * 7 - 1) // 3


@pytest.mark.parametrize("stops", [[0], [1], [13], [14], [15], [21], [41], [3, 9, 20], [14, 7]])
def test_a_run_that_was_stopped_makes_the_visits_that_are_left_and_no_other(make, stops):
    whole = make("whole", THREE)
    for stop in stops:
        assert make("stopped", THREE, stop_after=stop) is None
    resumed = make("stopped", THREE)

    def without_launch(records):
        return [{name: value for name, value in record.items() if name != "launch"} for record in records]

    assert without_launch(resumed) == without_launch(whole)
    launches = [record["launch"] for record in resumed]
    assert launches == sorted(launches)


@pytest.mark.parametrize("stop", [1, 5, 12, 17, 30])
def test_a_budget_that_is_spent_is_spent_alike_after_a_stop(make, stop):
    settings = Settings(budget_s=40, passes=8, precision_percent=1e-6)
    whole = make("whole", THREE, settings)
    make("stopped", THREE, settings, stop_after=stop)
    assert [record["key"] for record in make("stopped", THREE, settings)] == [record["key"] for record in whole]


def test_the_budget_is_the_whole_runs_and_what_a_stretch_leaves_is_passed_on(make):
    def passes(budget_s):
        records = make(f"run-{budget_s}", THREE, Settings(budget_s=budget_s, passes=8, precision_percent=1e-6))
        return [max(record["pass_"] for record in records if record["key"] in keys) + 1 for keys in of]

    of = [{block.key for block in stretch} for stretch in THREE]
    assert passes(1) == [6, 6, 6]  # the least, past the budget
    assert passes(48) == [8, 8, 8]  # 48 visits of a second
    assert passes(42) == [7, 7, 7]
    assert passes(45) == [7, 7, 8]  # two stretches left a part of a pass each, and together they paid for one


def test_only_the_visits_of_the_stretch_in_progress_are_held(make):
    held = []

    class Counting(Listener):
        def pass_started(self, pass_, open_blocks):
            held.append(alive())

    def alive():
        return sum(type(one) is Visited for one in gc.get_objects())

    before = alive()
    make("run", [blocks(8)[place : place + 2] for place in range(0, 8, 2)], listener=Counting())
    assert len(held) == 4 * 7
    assert max(held) - before <= 2 * 7 + 1


def test_progress_counts_visits_and_what_failed(make):
    heard = []

    class Hearing(Listener):
        def progressed(self, progress):
            heard.append((progress.done, progress.left, dict(progress.failing)))

    settings = replace(SETTINGS, passes=6)
    make("run", THREE, settings, listener=Hearing(), bad={"mine": "crashed"})
    done, left, failing = zip(*heard, strict=True)
    assert done == tuple(range(1, 37))
    assert left == tuple(reversed(range(36)))
    assert failing[0] == {"crashed": 1}
    assert failing[-1] == {"crashed": 6}


def test_progress_goes_on_after_a_stop(make):
    heard = []

    class Hearing(Listener):
        def progressed(self, progress):
            heard.append((progress.done, progress.failing["crashed"]))

    make("run", THREE, stop_after=15, bad={"mine": "crashed"})
    make("run", THREE, listener=Hearing(), bad={"mine": "crashed"})
    assert heard[0] == (16, 3)
    assert heard[-1] == (36, 6)


@pytest.mark.parametrize(("struck", "share"), [(0, None), (5, "50%")])
def test_a_busy_machine_is_told_with_the_share_of_its_batches(tmp_path, struck, share):
    passes = passes_of(rundir.create(tmp_path / "run", {}), THREE, SETTINGS)
    passes.make(StandIn(struck=struck))
    assert passes.disturbed == (share and f"another program was busy: {share} of all batches {_MENDED}")


_MENDED = "were disturbed and made again; stop it, or give fewer --threads than there are cores"
