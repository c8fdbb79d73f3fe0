"""Planted truths: the setting that decides comes first, and what does nothing is no more than the seed."""

import pytest
from planted_trials import make

pytest.importorskip("sklearn", reason="importance needs scikit-learn: pip install 'groupnorm-bench[study]'")
from bench.study.importance import COLUMNS, importance


def effect(row):
    """Norm decides, by its groups too; the rate matters less, the batch size not at all."""
    return {"none": -0.1, "batch": 0.0, "instance": -0.05}.get(row["norm"], 0.02) + 0.03 * (row["learning_rate"] < 0.05)


@pytest.fixture(scope="module")
def found():
    frame = make(effect=effect, rates=(0.1, 0.01), folds=1, seeds=4, shared=0.0, purpose="tune")
    return importance(frame, draws=8).set_index("variable")


def test_the_planted_order_is_found(found):
    assert list(found.index[:2]) == ["norm", "learning_rate"]
    assert found.loc["norm", "importance"] > 0.8


def test_what_does_nothing_is_no_more_than_the_seed(found):
    assert abs(found.loc["batch_size", "importance"]) < 0.02
    assert abs(found.loc["seed", "importance"]) < 0.02
    assert found.loc["learning_rate", "low"] > found.loc["seed", "high"]


def test_the_interval_holds_the_estimate_and_the_method_is_named(found):
    assert (found["low"] <= found["importance"]).all()
    assert (found["importance"] <= found["high"]).all()
    assert found["method"].str.contains("random forest").all()
    assert set(found["target"]) == {"validation_accuracy"}


def test_groups_are_part_of_the_norm():
    frame = make(effect=lambda row: 0.05 * (row["groups"] == 8), folds=2, seeds=2, sizes=(2, 8))
    assert importance(frame, draws=0)["variable"].iloc[0] == "norm"


def test_settings_that_do_not_vary_are_left_out_and_equal_calls_agree():
    frame = make(sizes=(8,), seeds=2, folds=2, effect=effect, norms=(("batch", None), ("group", 8), ("group", 2)))
    first, second = (importance(frame, draws=3) for _ in range(2))
    assert first.equals(second)
    assert set(first["variable"]) == {"norm", "seed"}


@pytest.mark.parametrize("frame", [make().iloc[:9], make().assign(status="failed"), make().iloc[:0]])
def test_of_too_few_trials_nothing_is_said(frame):
    found = importance(frame)
    assert list(found.columns) == list(COLUMNS)
    assert found.empty


def test_one_seed_has_no_interval():
    assert importance(make(seeds=1, folds=2, effect=effect))["low"].isna().all()
