"""The real engine on the small runs: no timing is asserted, what does not hang on the machine is."""

import pytest

from bench.errors import UsageError
from bench.plan.config import Settings
from bench.run import run
from bench.selftest import truths
from bench.selftest.checks import Check, by_name, known_checks, liar_checks
from bench.selftest.run import SelfTest, _known, _liars, _ratios, selftest

ONE = Settings(threads=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One visit to each kernel of known answer and each liar, by an ordinary run."""
    folder = tmp_path_factory.mktemp("selftest")
    found = {}
    for name, (sweep, settings) in {"known": _known(ONE), "liars": _liars(ONE)}.items():
        once = Settings.from_dict(settings.to_dict() | {"passes": 1, "budget_s": 0.1})
        found[name] = by_name(run(sweep, once, out=folder / name).results)
    return found


def test_every_liar_is_caught_by_the_engine(small):
    assert [check.check for check in liar_checks(small["liars"]) if not check.met] == []
    assert small["liars"]["native"]["status"] == "ok"


def test_known_bytes_and_errors_are_measured_exactly(small):
    found = [check for check in known_checks(small["known"]) if check.unit in {"B", "ULP"}]
    assert len(found) == len(truths.TAKINGS) + len(truths.OFFS)
    assert [check for check in found if not check.met] == []


def test_a_wait_is_never_measured_shorter_than_it_is(small):
    for wait in truths.WAITS:
        assert small["known"][wait.name]["fastest_pass_s"] >= wait.seconds


def test_the_ratios_are_measured_against_the_hundred_units_and_never_stop_early():
    sweep, settings = _ratios(ONE, 137.0)
    assert (settings.reference, settings.impl[0], settings.threads) == ("units-100", "units-100", 1)
    assert settings.passes % 3 == 0
    assert settings.passes >= 48  # 16 launches or more
    assert settings.precision_percent < 1e-3
    assert sweep.entries == (truths.UNITS_PROBLEM,)
    assert _ratios(ONE, 1.0)[1].passes == 6


def test_too_short_a_test_and_a_used_folder_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"^--budget: 5 s is too short for a self-test; give at least 20$"):
        selftest(seconds=5.0)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--out: .* is there already and not empty; name a new folder$"):
        selftest(out=tmp_path)
    with pytest.raises(UsageError, match=r"^--out: cannot make .* \(Not a directory\); name another folder$"):
        selftest(out=tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("met", "quick", "full"),
    [((True, True), True, True), ((True, None), True, False), ((True, False), False, False)],
)
def test_it_is_true_where_every_goal_was_met_and_a_short_form_may_leave_some_open(met, quick, full):
    checks = tuple(Check(check="a", unit="1", expected=1.0, measured=1.0, met=one) for one in met)
    for form, seconds, is_true in (("quick", 30.0, quick), ("full", 60.0, quick), ("full", 170.0, full)):
        found = SelfTest(form=form, seconds=seconds, passes=6, checks=checks)
        assert found.is_true is is_true
        assert found.to_dict()["is_true"] is is_true
        assert found.to_dict()["checks"][0]["check"] == "a"
