from bench.plan.remaining import Pace, expected_passes, seconds_left, visits_left

PACE = Pace(visits=10, wall_s=20.0, measured_s=15.0)


def test_the_budget_pays_for_passes_within_the_limits():
    def passes(budget_s):
        return expected_passes(PACE, blocks=4, budget_s=budget_s, least=6, most=8)

    assert [passes(1), passes(42), passes(1000)] == [6, 7, 8]


def test_before_the_first_visit_nothing_is_known():
    nothing = Pace(visits=0, wall_s=0.0, measured_s=0.0)
    assert expected_passes(nothing, blocks=4, budget_s=1, least=6, most=8) == 8
    assert seconds_left(nothing, 32) is None


def test_left_is_the_rest_of_this_pass_its_later_passes_and_later_stretches():
    assert visits_left(passes=6, passes_made=2, open_blocks=5, in_this_pass=3, later_blocks=10) == 3 + 4 * 5 + 60
    assert visits_left(passes=6, passes_made=7, open_blocks=5, in_this_pass=3, later_blocks=0) == 3
    assert seconds_left(PACE, 7) == 14.0
