"""What is drawn and kept, with outcomes by hand instead of trainings."""

from dataclasses import replace

import pytest

pytest.importorskip("optuna", reason="optuna is not installed: pip install 'groupnorm-bench[study]'")

from bench.study import plan
from bench.study.asked import Asked
from bench.study.store import Store

RANDOM = Asked(sampler="random", trials=6, epochs=2, updates=None, seeds=2, rate_range=(1e-4, 1e-1), seed=7)
OUTCOME = {
    "validation_accuracy": 0.9, "validation_loss": 0.3, "accuracy": 0.8, "loss": 0.4, "test_samples": 10, "epochs": 1.0,
    "updates": 5, "duration_s": 0.1, "pruned": False,
}  # fmt: skip


def drawn(store, most=99):
    """Draw and end trainings until none is left; better where the rate is lower, as a sampler may learn."""
    points = []
    while len(points) < most and (found := store.draw()) is not None:
        trial, point = found
        store.finish(trial, OUTCOME | {"validation_accuracy": 1 - point.learning_rate}, [])
        points.append(point)
    return points


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_is_drawn_follows_from_the_seed_also_after_a_kill(tmp_path, sampler):
    asked = replace(RANDOM, sampler=sampler)
    wanted = drawn(Store.open(tmp_path / "whole", asked))
    assert len(wanted) == 6
    assert len({point.learning_rate for point in wanted}) == 6
    assert [point.seed for point in wanted] == [0, 1] * 3

    store = Store.open(tmp_path / "killed", asked)
    before = drawn(store, 2)
    store.draw()  # it runs when the process is killed
    again = Store.open(tmp_path / "killed", asked)
    assert again.interrupt() == 1
    if sampler == "random":
        assert before + drawn(again) == wanted
    else:  # TPE has seen the interrupted one
        assert len(before + drawn(again)) == 6
    assert again.draw() is None
    assert [record.status for record in again.records()].count("interrupted") == 1


def test_what_is_noted_is_there_for_the_next_process(tmp_path):
    asked = Asked()
    point = plan.tuning(asked)[0]
    store = Store.open(tmp_path / "journal", asked)
    store.finish(store.begin(point), OUTCOME, [{"epoch": 1}])
    store.fail(store.begin(replace(point, fold=1)), "its process died of SIGKILL", [])
    first, second = Store.open(tmp_path / "journal", asked).records()
    assert (first.point, first.status, first.outcome, list(first.epochs)) == (
        point,
        "complete",
        OUTCOME,
        [{"epoch": 1}],
    )
    assert (second.status, second.reason, second.score) == ("failed", "its process died of SIGKILL", None)


def test_half_a_line_and_a_lock_that_a_kill_left_are_taken_away(tmp_path):
    path, asked = tmp_path / "journal", Asked()
    store = Store.open(path, asked)
    store.begin(plan.tuning(asked)[0])
    with path.open("ab") as journal:
        journal.write(b'{"op_code":8,"worker')
    (tmp_path / "journal.lock").symlink_to(path)
    again = Store.open(path, asked)
    assert again.interrupt() == 1
    again.begin(plan.tuning(asked)[1])
    assert [record.status for record in Store.open(path, asked).records()] == ["interrupted"] * 2


def test_the_pruner_stops_what_is_below_the_median(tmp_path):
    store = Store.open(tmp_path / "journal", Asked())
    points = plan.tuning(Asked())
    for point in points[:6]:
        trial = store.begin(point)
        assert [store.is_hopeless(trial, epoch, 0.9) for epoch in (1, 2)] == [False, False]
        store.finish(trial, OUTCOME, [])
    bad = store.begin(points[6])
    assert [store.is_hopeless(bad, epoch, 0.2) for epoch in (1, 2)] == [False, True]
    store.finish(bad, OUTCOME | {"pruned": True, "validation_accuracy": 0.2}, [])
    record = store.records()[-1]
    assert (record.status, record.reason) == ("pruned", "below the median of the others at this epoch")
    assert record.is_settled
