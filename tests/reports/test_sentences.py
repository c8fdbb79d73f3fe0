import pytest

from reports import views
from reports.intake import check
from reports.schema import ResultRow
from reports.sentences import answer


def told(results):
    return answer(views.cells(check(results, ResultRow)))


def test_who_by_how_much_how_sure(frames):
    who, much, sure = told(frames.results)
    assert who == "Of 8 problems, cpp is fastest on 6 and compiled on 1; 1 has no clear winner."
    assert much.startswith("Against native, cpp is 1.")
    assert "geometric means over problems" in much
    assert sure.startswith("Intervals are 95 % between 6 passes of fresh processes, and two copies of the reference")
    assert sure.endswith("compiled crashed on 1 problem and cpp was incorrect on 1 problem.")


def test_one_implementation(frames):
    who, much, _ = told(frames.results.query("implementation == 'native'"))
    assert who == "Only native has figures, on 8 problems; there is nothing to compare it with."
    assert much == "There is no speed-up to tell, because nothing was measured beside the reference."


def test_nothing_measured(frames):
    who, _, sure = told(frames.results.query("implementation == 'cuda'"))
    assert who == "No implementation has a figure on any of the 8 problems."
    assert sure == "Of 8 cells: 8 cells unavailable."


def test_one_problem(frames):
    who, _, _ = told(frames.results.head(6))
    assert who == "Of 1 problem, cpp is fastest on 1."


def test_no_interval_is_no_winner(frames):
    frame = frames.results.assign(speedup_low=None, speedup_high=None, noise_floor=None, passes=None)
    who, _, sure = told(frame)
    assert who.endswith("8 have no clear winner.")
    assert "the noise floor was not measured" in sure


def test_an_empty_frame(frames):
    assert told(frames.results.head(0))[0] == "This run holds no problem."


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 6, 13, 48])
def test_every_frame_gives_three_whole_sentences(frames, rows):
    for sentence in told(frames.results.head(rows)):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "nan" not in sentence.lower().replace("naive", "")
