"""Planted truths: what the claims say of accuracies whose effects are known."""

import math

import numpy as np
import pandas as pd
import pytest
from planted_trials import make

from bench.study.claims import claims
from bench.study.compared import comparable, paired
from reports.study_views import option_rank, options


def of(found, key, **named):
    (one,) = [
        claim for claim in found if claim.key == key and all(getattr(claim, name) == it for name, it in named.items())
    ]
    return one


def better(row):
    """Group norm with 8 groups beats batch norm by two points at batch 2, and not at all at 32."""
    return 0.02 if row["groups"] == 8 and row["batch_size"] == 2 else 0.0


def test_a_planted_lead_is_found_where_it_is_and_nowhere_else():
    found = claims(make(effect=better, norms=(("batch", None), ("group", 8)), sizes=(2, 32)))
    at = {claim.batch_size: claim for claim in found if claim.key == "beats_at_batch"}
    assert (at[2].answer, at[32].answer) == ("yes", "undecided")
    assert at[2].low <= 0.02 <= at[2].high
    assert at[2].comparisons == 2
    assert of(found, "beats").estimate == pytest.approx(0.01, abs=0.003)


def test_a_lead_of_batch_norm_is_a_plain_no():
    found = claims(make(effect=lambda row: 0.02 * (row["norm"] == "batch"), sizes=(8,)))
    assert of(found, "beats").answer == "no"
    assert "is less accurate than batch norm, by " in of(found, "beats").sentence


def test_of_equal_norms_false_leads_are_rare_and_the_smallest_difference_is_told():
    wrong = 0
    for seed in range(40):
        frame = make(norms=(("batch", None), ("group", 8)), sizes=(8,), seed=seed)
        beats = of(claims(frame), "beats")
        wrong += beats.answer != "undecided"
        assert beats.high > beats.estimate > beats.low
        assert beats.smallest > 0
    assert wrong <= 3


def test_the_sentence_gives_estimate_interval_pairs_and_power():
    frame = make(norms=(("batch", None), ("group", 8)), sizes=(2, 8), shared=0, noise=0, samples=100)
    frame.loc[frame["norm"] == "group", "accuracy"] += 0.05
    assert of(claims(frame), "beats").sentence == (
        "At a fixed number of epochs, group norm with 8 groups is more accurate than batch norm, by 5.00 points"
        " [+4.64, +5.36], 9 pairs of seed and fold, batch sizes 2 and 8 averaged. A true difference of 0.45 points"
        " would have shown with 80 % power."
    )


@pytest.mark.parametrize(("lead", "answer"), [(0.03, "yes"), (0.0, "undecided")])
def test_one_number_of_groups_is_best_only_if_it_beats_all(lead, answer):
    best = of(claims(make(effect=lambda row: lead * (row["groups"] == 32), sizes=(8,))), "best_groups")
    assert best.answer == answer
    assert best.comparisons == 10
    if answer == "yes":
        assert best.sentence.startswith(
            "At a fixed number of epochs, group norm with 32 groups has the highest mean accuracy;"
            " it beats 1, 2 and 8 groups and a group a channel; the nearest is "
        )
        assert "Bonferroni for all 10 pairs" in best.sentence


def test_the_confound_shows_at_fixed_epochs_and_not_at_fixed_updates():
    def effect(row):
        return 0.03 * (row["batch_size"] == 2) * (row["budget"] == "epochs")

    found = claims(make(norms=(("group", 8), ("batch", None)), effect=effect, budgets=("epochs", "updates")))
    assert of(found, "small_batch", budget="epochs").answer == "yes"
    assert of(found, "small_batch", budget="updates").answer == "undecided"
    more = of(found, "more_updates")
    assert more.answer == "yes"
    assert more.estimate == pytest.approx(0.03, abs=0.004)
    assert "the gain of batch size 2 over 32 at fixed epochs is larger than at fixed updates, by " in more.sentence


def swap(**given):
    named = {"norms": (("batch", None), ("group", 8), ("layer", 1)), "implementations": ("cpp", "native")}
    return claims(make(**(named | given)))


def test_an_implementation_that_changes_nothing_is_equivalent_and_its_speed_is_told():
    found = swap(step_s=lambda row: 1e-3 if row["implementation"] == "cpp" else 1.5e-3)
    same, faster = of(found, "same_accuracy"), of(found, "faster")
    assert same.answer == "yes"
    assert same.margin > max(-same.low, same.high)
    assert "two one-sided tests at 5 % each" in same.sentence
    assert faster.answer == "yes"
    assert faster.estimate == pytest.approx(1.5)
    assert faster.sentence.startswith("A training step with cpp runs at 1.50× the speed of native [1.50, 1.50]: it is")


def test_a_time_taken_once_for_all_trials_of_a_setting_is_one_figure_not_many():
    """Copied to 9 pairs of seed and fold it would have had an interval of no width."""
    step = {2: 1.1, 8: 1.2, 32: 1.6}
    found = swap(step_s=lambda row: 1e-3 * (step[row["batch_size"]] if row["implementation"] == "native" else 1.0))
    faster = of(found, "faster")
    assert faster.pairs == 6
    assert faster.low < 1.2 < faster.high
    assert faster.sentence.endswith("would have shown with 80 % power.")
    assert "6 norms and batch sizes" in faster.sentence


def test_times_of_their_own_are_paired_by_seed_and_fold():
    found = swap(step_s=lambda row: 1e-3 * (1 + 0.01 * row["seed"]) * (1.5 if row["implementation"] == "native" else 1))
    assert (of(found, "faster").pairs, of(found, "faster").answer) == (9, "yes")


def test_an_implementation_that_learns_worse_is_found():
    same = of(swap(effect=lambda row: -0.05 * (row["implementation"] == "cpp")), "same_accuracy")
    assert same.answer == "no"
    assert same.high < 0


def test_norms_are_compared_with_the_reference_alone():
    frame = make(norms=(("batch", None), ("group", 8)), implementations=("native", "cpp"), sizes=(8,))
    alone = frame[frame["implementation"] != "cpp"]
    assert of(claims(frame), "beats") == of(claims(alone), "beats")


def test_a_plain_grid_has_its_rates_chosen_on_validation_alone():
    frame = make(purpose="sweep", rates=(0.1, 0.01), effect=lambda row: 0.05 * (row["learning_rate"] == 0.01))
    frame.loc[frame["learning_rate"] == 0.1, "accuracy"] = 0.999  # the test set must not choose
    assert set(comparable(frame)["learning_rate"]) == {0.01}


@pytest.mark.parametrize(
    "frame",
    [make(purpose="tune"), make().assign(status="failed"), make().iloc[:0], make(norms=(("none", None),))],
    ids=["tune", "failed", "empty", "without group norm"],
)
def test_where_nothing_can_be_compared_nothing_is_claimed(frame):
    assert claims(frame) == ()


def test_one_seed_and_fold_decide_nothing():
    found = claims(make(seeds=1, folds=1, implementations=("native", "cpp"), effect=better))
    assert {claim.answer for claim in found} == {"undecided"}
    unpaired = [claim for claim in found if claim.key != "faster"]  # of several norms and batch sizes
    assert all(claim.low is None and claim.pairs == 1 for claim in unpaired)


def test_a_unit_that_lacks_a_setting_is_left_out_of_the_average():
    frame = make(sizes=(2, 8), norms=(("batch", None), ("group", 8)))
    frame.loc[frame.index[0], "status"] = "failed"
    assert of(claims(frame), "beats").pairs == 8


def test_pairing_takes_away_what_a_unit_has_in_common():
    frame = comparable(make(shared=0.5, noise=0.0, effect=lambda row: 0.01 * (row["groups"] == 8), sizes=(8,)))
    first, second = (frame[frame["option"] == name] for name in ("group 8", "batch"))
    assert np.allclose(paired(first, second, over=["batch_size"]).differences, 0.01)


def test_the_flat_axis_is_ordered():
    norms = (("instance", None), ("group", 32), ("none", None), ("layer", 1), ("group", 8), ("batch", None))
    names = options(pd.DataFrame(norms, columns=["norm", "groups"]).astype({"groups": "Int64"}))
    assert sorted(names, key=option_rank) == ["none", "batch", "layer", "group 8", "group 32", "instance"]


def test_every_figure_is_finite():
    for claim in claims(make(implementations=("native", "cpp"), budgets=("epochs", "updates"))):
        assert all(math.isfinite(one) for one in (claim.estimate, claim.low, claim.high, claim.smallest))
