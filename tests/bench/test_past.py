import json

import pytest
from stand_in import blocks

from bench.errors import UsageError
from bench.events import Listener
from bench.past import Past, by_stretch, past_of
from bench.record.durable import DamagedRun

STRETCHES = (blocks(3)[:2], blocks(3)[2:])
FIRST, SECOND, THIRD = (block.key for block in blocks(3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def write(path, *visits, torn=b""):
    lines = [
        json.dumps({"key": key, "pass_": 0, "launch": launch, "cells": {}, "series": {}, "seconds": {"measure": 2.0}})
        for key, launch in visits
    ]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode() + torn)


def test_a_run_without_a_journal_has_no_past(path):
    assert past_of(path, STRETCHES, Listener()) == Past()


def test_closed_stretches_are_counted_and_the_last_is_kept(path):
    write(path, (FIRST, 0), (SECOND, 0), (FIRST, 4), (THIRD, 1), torn=b'{"key"')
    told = []

    class Hearing(Listener):
        def warned(self, text):
            told.append(text)

    past = past_of(path, STRETCHES, Hearing())
    assert (past.stretch, past.visits, past.launches, past.seconds) == (1, 4, 5, {"measure": 8.0})
    assert [visited.key for visited in past.last] == [THIRD]
    assert len(told) == 1


def test_a_visit_of_another_sweep_is_refused(path):
    write(path, ("N9-of-another-sweep", 0))
    with pytest.raises(UsageError) as error:
        list(by_stretch(path, STRETCHES))
    assert str(error.value) == (
        f"{path}: holds N9-of-another-sweep, which the sweep in run.json does not; restore run.json, or start a new run"
    )


def test_another_order_is_another_sweep(path):
    write(path, (THIRD, 0), (FIRST, 0))
    with pytest.raises(UsageError, match=r"does not follow the order of the sweep in run\.json"):
        list(by_stretch(path, STRETCHES))


def test_a_record_that_is_no_visit_names_its_line(path):
    write(path, (FIRST, 0))
    path.write_text(path.read_text() + '{"key":"x"}\n')
    with pytest.raises(DamagedRun, match=r"journal\.jsonl, line 2: no visit \(KeyError\('cells'\)\)"):
        list(by_stretch(path, STRETCHES))
