"""Frames made from a journal, stretch by stretch."""

import contextlib

import pytest
from stand_in import CONDITIONS, TABLE, StandIn, blocks, passes_of

from bench.outcome import Measured
from bench.plan.config import Settings
from bench.plan.cost import Need
from bench.record import frames, journal, rundir

SETTINGS = Settings(budget_s=1000, passes=7, precision_percent=1e-6)
BLOCKS = blocks(6)
STRETCHES = (BLOCKS[:2], BLOCKS[3:4], BLOCKS[4:])
"""The third block does not fit in memory."""


@pytest.fixture
def measured(tmp_path):
    """Measure until so many visits are made; give what makes the rows."""

    def measured(stop_after, **executor):
        directory = rundir.create(tmp_path / "run", {})
        passes = passes_of(directory, STRETCHES, SETTINGS)
        with contextlib.suppress(KeyboardInterrupt):
            passes.make(StandIn(stop_after=stop_after, **executor))
        needs = [Need(key=block.key, needed_bytes=10, fits=block is not BLOCKS[2]) for block in BLOCKS]
        return Measured(
            directory=directory,
            settings=SETTINGS,
            conditions=CONDITIONS,
            table=TABLE,
            stretches=STRETCHES,
            planned=tuple(zip(BLOCKS, needs, strict=True)),
            available_bytes=5,
        )

    return measured


def passes_and_status(directory):
    results = frames.read(directory.path).results
    mine = results[results["implementation"] == "mine"]
    return list(zip(mine["N"], mine["status"], mine["passes"].fillna(0), strict=True))


def test_rows_stand_in_the_sweeps_order_whatever_the_stretches(measured):
    made = measured(None)
    assert made.write_frames(frozenset()) == ()
    assert passes_and_status(made.directory) == [
        (1, "ok", 7), (2, "ok", 7), (3, "unsupported", 0), (4, "ok", 7), (5, "ok", 7), (6, "ok", 7),
    ]  # fmt: skip
    records = journal.read(made.directory.journal_path)
    batches = sum(len(series["seconds"]) for record in records for series in record["series"].values())
    assert len(frames.read(made.directory.path).samples) == batches


def test_what_was_not_reached_is_a_row_that_says_so(measured):
    made = measured(2 * 7 + 3)
    made.write_frames(frozenset())
    assert passes_and_status(made.directory) == [
        (1, "ok", 7), (2, "ok", 7), (3, "unsupported", 0), (4, "ok", 3), (5, "not_measured", 0), (6, "not_measured", 0),
    ]  # fmt: skip


def test_the_cells_that_went_wrong_are_given_back(measured):
    wrong = measured(None, bad={"mine": "crashed"}).write_frames(frozenset({"crashed"}))
    assert [(row.N, row.implementation) for row in wrong] == [(n, "mine") for n in (1, 2, 4, 5, 6)]
