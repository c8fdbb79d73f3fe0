import pandas as pd
import pytest

from reports import slices, views
from reports.intake import check
from reports.schema import ResultRow, SampleRow


@pytest.fixture(scope="module")
def cells(frames):
    return views.cells(check(frames.results, ResultRow))


def pair(cells, **second):
    """One problem with native and cpp, cpp changed."""
    problem = cells["problem"].iloc[0]
    rows = cells[(cells["problem"] == problem) & cells["implementation"].isin(["native", "cpp"])].copy()
    rows["noise_floor"] = 0.02
    for name, value in second.items():
        rows.loc[rows["implementation"] == "cpp", name] = value
    return rows


def verdict(rows):
    return views.winners(rows).iloc[0]


def test_labels_leave_out_what_all_problems_share(cells):
    assert set(cells["problem"]) == {
        "1×320×32×32 G=32 float32", "2×320×32×32 G=32 float32", "4×320×32×32 G=32 float32", "2×640×32×32 G=32 float32",
        "2×320×64×64 G=32 float32", "2×320×32×32 G=1 float32", "2×320×32×32 G=320 bfloat16",
        "1×128×128×128 G=8 float32",
    }  # fmt: skip


def test_labels_carry_the_run_when_there_are_two(frames):
    two = pd.concat([frames.results, frames.results.assign(run_id="run-b")])
    named = views.cells(check(two, ResultRow))
    assert named["problem"].nunique() == 16
    assert named["problem"].str.endswith(("· run-a", "· run-b")).all()


def test_a_winner_beyond_interval_and_floor_is_clear(cells):
    row = verdict(pair(cells, speedup=1.5, speedup_low=1.45, speedup_high=1.55))
    assert (row["winner"], row["verdict"]) == ("cpp", "cpp is fastest, then native")


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"speedup": 1.05, "speedup_low": 0.99, "speedup_high": 1.1}, "the intervals of cpp and native overlap"),
        ({"speedup": 1.015, "speedup_low": 1.01, "speedup_high": 1.02}, "cpp and native are within the noise floor"),
        ({"speedup": 1.5, "speedup_low": None, "speedup_high": None}, "no interval for cpp and native"),
        (
            {"speedup": 1.5, "speedup_low": 1.4, "speedup_high": 1.6, "timer": "events"},
            "measured by different timers, caches or threads",
        ),
    ],
)
def test_a_winner_in_doubt_is_none(cells, second, why):
    row = verdict(pair(cells, **second))
    assert pd.isna(row["winner"])
    assert row["verdict"] == f"no clear winner: {why}"


def test_without_a_reference_latencies_decide(cells):
    rows = pair(cells).assign(speedup=None, speedup_low=None, speedup_high=None, is_reference=False)
    rows["speedup"] = rows["speedup"].astype("float64")
    assert verdict(rows)["winner"] == "cpp"


def test_one_alone_wins_nothing_and_an_incorrect_one_is_never_ranked(cells):
    alone = pair(cells, status="incorrect")
    assert verdict(alone)["verdict"] == "measured alone"
    assert pd.isna(verdict(alone)["winner"])


def test_counts_add_up(cells):
    counts = views.answer_counts(cells)
    assert counts["cells"].sum() == 48
    assert counts["measured"].sum() == len(views.timed(cells)) == 30
    assert counts["wins"].sum() == views.winners(cells)["winner"].notna().sum()
    assert counts.set_index("implementation").loc["native", "speedup"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("speedup", "half", "floor", "step"),
    [
        (2.0, 1.1, 0.01, 2),
        (1.2, 1.1, 0.01, 1),
        (1.05, 1.1, 0.01, 0),
        (1.05, 1.01, 0.1, 0),
        (0.9, 1.02, 0.01, -1),
        (0.5, 1.1, 0, -2),
    ],
)
def test_the_maps_step_is_zero_where_interval_or_floor_holds_one(cells, speedup, half, floor, step):
    rows = pair(cells, speedup=speedup, speedup_low=speedup / half, speedup_high=speedup * half, noise_floor=floor)
    shown = views.speedup_map(rows).set_index("implementation")
    assert shown.loc["cpp", "step"] == step
    assert shown.loc["native", "step"] == 0


def test_every_cell_without_a_figure_is_told_with_its_reason(cells):
    told = views.without_figure(cells)
    assert told["count"].sum() == (cells["status"] != "ok").sum()
    assert set(told["status"]) == {"unavailable", "unsupported", "incorrect", "crashed"}


def test_a_slice_holds_all_but_one_axis(cells):
    along = slices.along(cells, "N")
    assert list(along["slice"].unique()) == ["C=320 H=32 W=32 G=32 float32"]
    assert sorted(set(along["value"])) == [1, 2, 4]
    assert slices.along(cells[cells["N"] == 2], "N").empty
    assert set(slices.along(cells, "G")["value"]) == {1, 32}


def test_the_copys_time_follows_from_fraction_and_latency(cells):
    points = views.bytes_time(cells)
    of_problem = points.groupby("problem")["copy_s"]
    pd.testing.assert_series_equal(of_problem.min(), of_problem.max())


def test_rounds_are_the_ranked_cells_samples_without_twin_and_copies(cells, frames):
    rows = views.timed(cells).query("C == 640")
    dots = views.rounds(rows, check(frames.samples, SampleRow))
    assert set(dots["implementation"]) == {"native", "naive", "compiled"}
    assert len(dots) == 3 * 6 * 8


def test_a_plain_copy_has_one_line_a_problem_and_one_among_the_implementations(cells):
    copies = views.clones(cells)
    assert copies["problem"].is_unique
    assert set(copies["problem"]) == set(cells.loc[cells["clone_speedup"].notna(), "problem"])
    counted = views.clone_counts(cells)
    assert counted["problems"] == len(copies)
    assert counted["speedup_least"] <= counted["speedup"] <= counted["speedup_most"]
