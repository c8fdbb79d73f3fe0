"""What answers come to: known by hand."""

from bench.check.cases import cases
from bench.check.laws import LAWS
from bench.check.tally import Answer, Found, rows_of

FIRST, SECOND = [case for case in cases() if case.laws == ("right", "exact")][:2]
GRADIENT = next(case for case in cases() if case.laws[0] == "gradients")


def law_of(name, *answers, unavailable=None):
    (row,) = rows_of({"mine": answers}, {"mine": unavailable})
    return {one.law: one for one in row.laws}.get(name), row


def found(figure, *, law="right", holds=True, bar=1.0):
    return Answer(findings=(Found(law=law, holds=holds, figure=figure, bar=bar, reason=f"{figure}"),))


def test_of_what_holds_the_closest_call_is_told():
    kept, row = law_of("right", (FIRST, found(0.2)), (SECOND, found(0.9)))
    assert (kept.state, kept.cases, kept.broken, kept.case, kept.reason) == ("holds", 2, 0, SECOND.name, "0.9")
    assert row.is_right


def test_of_what_is_broken_the_worst_is_told():
    kept, row = law_of("right", (FIRST, found(3.0, holds=False)), (SECOND, found(0.9)))
    assert (kept.state, kept.cases, kept.broken, kept.case) == ("broken", 2, 1, FIRST.name)
    assert not row.is_right


def test_who_breaks_an_exemplary_law_alone_is_right():
    kept, row = law_of("exact", (FIRST, found(3.0, law="exact", holds=False)))
    assert kept.state == "broken"
    assert row.is_right


def test_a_lost_worker_breaks_every_law_of_its_case():
    _, row = law_of("right", (FIRST, Answer(failure="crashed: SIGSEGV")))
    broken = {one.law: one.reason for one in row.laws if one.state == "broken"}
    assert broken == dict.fromkeys(("right", "exact"), "crashed: SIGSEGV")


def test_what_was_not_judged_says_why():
    kept, _ = law_of("gradients", (GRADIENT, Answer(not_applicable="no backward")))
    assert (kept.state, kept.reason) == ("not applicable", "no backward")
    kept, _ = law_of("gradients", (GRADIENT, Answer(not_run="needs 9 GB")))
    assert (kept.state, kept.reason) == ("not run", "needs 9 GB")


def test_an_unavailable_row_has_no_laws():
    _, row = law_of("right", unavailable="no compiler")
    assert (row.unavailable, row.laws) == ("no compiler", ())


def test_every_law_has_a_case():
    named = {law for case in cases() for law in case.laws}
    assert named | {"form", "layout", "conduct"} == set(LAWS)
