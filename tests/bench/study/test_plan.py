from bench.study import plan
from bench.study.asked import Asked
from bench.study.plan import Group, Score

SMALL = Asked(
    norms=("none", "batch", "group:8"), batch_sizes=(8, 32), learning_rates=(1e-3, 1e-2), seeds=2, folds=3,
    implementations=("native", "cpp"),
)  # fmt: skip


def test_a_study_begins_with_tuning_on_the_first_implementation():
    points = plan.planned(SMALL, {})
    assert {point.purpose for point in points} == {plan.TUNE}
    assert len(points) == 2 * 2 * 3 * 2
    assert {point.implementation for point in points} == {None, "native"}


def test_the_best_rate_is_chosen_by_accuracy_then_loss_and_failures_do_not_count():
    group = Group(budget="epochs", norm="batch", batch_size=8)
    slow, fast = [point for point in plan.tuning(SMALL) if point.group == group]

    def chosen(of_slow, of_fast):
        return plan.chosen_rates(SMALL, {slow: of_slow, fast: of_fast}).get(group)

    def score(accuracy, loss=0.5):
        return Score(accuracy=accuracy, loss=loss)

    assert chosen(score(0.9), score(0.8)) == 1e-3
    assert chosen(score(0.9), score(0.9, 0.4)) == 1e-2
    assert chosen(score(0.9), score(0.9)) == 1e-3
    assert chosen(None, score(0.1)) == 1e-2
    assert chosen(None, None) is None
    assert plan.chosen_rates(SMALL, {slow: score(0.9)}) == {}


def test_every_norm_is_compared_on_the_same_seeds_and_folds_before_the_next():
    rates = {point.group: 1e-3 for point in plan.tuning(SMALL)}
    points = plan.comparing(SMALL, rates)
    assert len(points) == 2 * 3 * 2 * 2 * (3 + 1)
    pairs = [(point.seed, point.fold) for point in points]
    assert pairs == sorted(pairs)
    of_claimed = [point for point in points if point.norm == plan.CLAIMED]
    assert sum(point.implementation == "cpp" for point in of_claimed) == len(of_claimed) / 2


def test_the_whole_is_what_is_planned_once_every_rate_is_known():
    assert len(plan.whole(SMALL)) == plan.count(SMALL)
    every = {point: Score(accuracy=0.5, loss=1.0) for point in plan.tuning(SMALL)}
    assert len(plan.planned(SMALL, every)) == plan.count(SMALL)


def test_a_grid_is_every_combination_once():
    asked = Asked(norms=("batch", "group:8"), batch_sizes=(8,), learning_rates=(1e-3, 1e-2), seeds=1, folds=2,
                  updates=None, sampler="grid", implementations=("native", "cpp"))  # fmt: skip
    points = list(plan.grid(asked))
    assert len(points) == len(set(points)) == plan.count(asked) == 2 * (1 + 2) * 2


def test_updates_leave_out_an_incomplete_batch():
    point = plan.tuning(SMALL)[0]
    assert (point.budget, point.length, point.batch_size) == ("epochs", 3, 8)
    assert point.updates(100) == 3 * 12
