import pandas as pd
import pytest

from reports import intake, views
from reports.schema import ResultRow
from reports.sentences import answer


def said(results, reference="native"):
    return answer(views.cells(intake.check(results, ResultRow), reference))


def only(frames, **kept):
    results = frames.results
    for column, values in kept.items():
        results = results[results[column].isin(values)]
    return results


def test_the_three_sentences_say_who_by_how_much_and_how_sure(frames):
    who, much, sure = said(frames.results)
    assert who.startswith("Of 8 problems, cpp is fastest on ")
    assert much.startswith("Against native, ")
    assert "6 passes" in sure
    assert "%" in sure


def test_two_within_each_others_interval_have_no_clear_winner(frames):
    second = frames.results[(frames.results["N"] == 2) & (frames.results["C"] == 320) & (frames.results["H"] == 32)]
    second = second[second["G"] == 32]
    assert "no clear winner" in said(second)[0]


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (
            {"implementation": ["native"]},
            "Only native has figures, on 8 problems; there is nothing to compare it with.",
        ),
        ({"implementation": ["cuda"]}, "No implementation has a figure on any of the 8 problems."),
        ({"implementation": ["nobody"]}, "This run holds no problem."),
        ({"implementation": ["cuda"], "H": [64]}, "No implementation has a figure on the 1 problem."),
    ],
)
def test_odd_frames_are_told_plainly(frames, kept, words):
    assert said(only(frames, **kept))[0] == words


def test_without_a_reference_there_is_no_speedup_to_tell(frames):
    results = only(frames, implementation=["cuda", "triton"])
    assert isinstance(results, pd.DataFrame)
    assert "no speed-up to tell" in said(results)[1]
