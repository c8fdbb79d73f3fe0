"""The whole way with real workers, on a problem that takes milliseconds."""

import json

import pytest

from bench.ending import Interrupted
from bench.errors import UsageError
from bench.events import Listener
from bench.executors.local import LocalExecutor
from bench.plan.config import Settings
from bench.plan.sweep import Axes, Sweep
from bench.record import frames, journal
from bench.record.space import writing
from bench.run import plan, resume, run
from reports.schema import ResultRow, SampleRow, columns


def sweep(**kwargs):
    axes = {"N": (1,), "C": (8,), "H": (6,), "W": (5,), "G": ("4",), "activation": ("silu",)}
    return Sweep(entries=(Axes(**(axes | kwargs)),))


SETTINGS = Settings(budget_s=0.1, passes=2, threads=1, impl=("naive",))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(
        sweep(G=("4", "8", "3")), SETTINGS, out=tmp_path_factory.mktemp("runs") / "run", command=["gnbench", "run"]
    )


def test_frames_have_the_schemas_columns_and_a_row_a_cell(finished):
    results, samples = finished.results, finished.samples
    assert list(results.columns) == list(columns(ResultRow))
    assert list(samples.columns) == list(columns(SampleRow))
    assert sorted(zip(results["G"], results["implementation"], strict=True)) == [
        (4, "naive"),
        (4, "native"),
        (8, "naive"),
        (8, "native"),
    ]
    assert set(results["status"]) == {"ok"}
    assert (results["passes"] == 2).all()
    assert results["latency_low_s"].le(results["latency_s"]).all()
    assert set(samples["implementation"]) == {"native", "naive", "@twin", "@copy", "@clone"}
    assert set(samples["pass"]) == {0, 1}


def test_every_figure_can_be_made_again_from_the_samples(finished):
    samples = finished.samples.query("implementation == 'naive' and G == 4")
    medians = samples["call_s"].groupby(samples["pass"]).median()
    row = finished.results.query("implementation == 'naive' and G == 4").iloc[0]
    assert row["latency_s"] == pytest.approx((medians[0] * medians[1]) ** 0.5)
    assert row["rounds"] == len(samples)
    whole = (samples["seconds"] / samples["calls"]).groupby(samples["pass"]).median()
    assert row["mean_latency_s"] == pytest.approx((whole[0] * whole[1]) ** 0.5)


def test_the_run_directory_is_complete_on_its_own(finished):
    assert {path.name for path in finished.path.iterdir()} >= {
        "run.json",
        "journal.jsonl",
        "results.parquet",
        "samples.parquet",
        "report.html",
        "report.md",
    }
    info = finished.directory.info()
    assert info["left_out"] == [{"reason": "C is not divisible by G", "count": 1, "example": "N1-C8-H6-W5-G3"}]
    assert info["clock"]["empty_call_s"] > 0
    assert 0 < info["cost"]["harness_fraction"] < 1
    assert info["threads"] == 1
    assert info["finished"] is not None
    assert info["colours"].keys() >= {"native", "naive"}


def test_a_finished_run_resumes_to_itself(finished):
    before = finished.directory.info()
    assert resume(finished.path).path == finished.path
    assert finished.directory.info() == before


def test_an_interrupted_run_goes_on_where_its_journal_ends(tmp_path):
    class Interrupting(Listener):
        def pass_started(self, pass_, open_blocks):
            if pass_ == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(sweep(), SETTINGS, out=tmp_path / "run", listener=Interrupting())
    (first,) = journal.read(tmp_path / "run" / "journal.jsonl")
    went_on = resume(tmp_path / "run")
    assert journal.read(tmp_path / "run" / "journal.jsonl")[0] == first
    assert (went_on.results["passes"] == 2).all()
    assert went_on.directory.info()["finished"] is not None


class Stopping(Listener):
    def pass_started(self, pass_, open_blocks):
        if pass_ == 1:
            raise KeyboardInterrupt


@pytest.fixture
def stopped(tmp_path):
    with pytest.raises(Interrupted):
        run(sweep(G=("4", "8")), SETTINGS, out=tmp_path / "run", listener=Stopping())
    return tmp_path / "run"


def rewrite(path, **changes):
    info = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(info | changes))
    return info


def test_a_stopped_run_has_frames_and_a_report_of_what_was_measured(stopped):
    assert (frames.read(stopped).results["passes"] == 1).all()
    assert (stopped / "report.html").is_file()
    info = json.loads((stopped / "run.json").read_text())
    assert info["finished"] is None
    assert info["interrupted"] >= info["started"]


def test_a_changed_environment_is_refused_unless_accepted_and_then_kept(stopped):
    environment = json.loads((stopped / "run.json").read_text())["environment"]
    rewrite(stopped, environment=environment | {"torch": "1.0"})
    changed = f"torch was 1.0 and is {environment['torch']}"
    with pytest.raises(UsageError) as error:
        resume(stopped)
    assert str(error.value) == (
        f"--resume: the environment of {stopped} was changed: {changed}; "
        "restore it, or go on all the same with --accept-changes"
    )
    went_on = resume(stopped, accept_changes=True)
    assert [one["changed"] for one in went_on.directory.info()["resumed"]] == [[changed]]
    assert went_on.directory.info()["environment"] == environment
    assert went_on.directory.info()["interrupted"] is None
    assert (went_on.results["passes"] == 2).all()


def test_a_changed_sweep_is_refused(stopped):
    rewrite(stopped, sweep=sweep(G=("4", "2")).to_dict())
    with pytest.raises(UsageError, match=r"--resume: the sweep in .*run\.json is not the one of its problems; restore"):
        resume(stopped)


def test_a_row_that_left_the_plugin_table_is_refused(stopped):
    rewrite(stopped, names=["native", "mine"])
    with pytest.raises(UsageError, match="the run measured 'mine', which the plugin table does not hold now"):
        resume(stopped)


def test_a_run_writes_no_more_than_was_foreseen(finished):
    foreseen = writing(blocks=2, names=2, passes=2)
    names = ("journal.jsonl", "results.parquet", "samples.parquet", "report.html", "report.md")
    assert sum((finished.path / name).stat().st_size for name in names) < foreseen.most


def test_the_directory_is_there_before_the_first_worker(tmp_path, monkeypatch):
    seen = []

    def table(self):
        seen.append(json.loads((tmp_path / "run" / "run.json").read_text())["finished"])
        raise UsageError("workers", "are not wanted", "go on")

    monkeypatch.setattr(LocalExecutor, "table", table)
    with pytest.raises(UsageError):
        run(sweep(), SETTINGS, out=tmp_path / "run")
    assert seen == [None]
    assert not (tmp_path / "run").exists()


def test_a_question_that_was_wrong_leaves_an_existing_folder_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"--impl: no implementation is called 'cp'; did you mean 'cpp'\?"):
        run(sweep(), Settings(impl=("cp",)), out=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_what_does_not_fit_is_a_row_and_the_rest_is_measured(tmp_path):
    made = run(sweep(N=(1, 1 << 40)), SETTINGS, out=tmp_path / "run")
    status = dict(
        zip(zip(made.results["N"], made.results["implementation"], strict=True), made.results["status"], strict=True)
    )
    assert status == {
        (1, "native"): "ok",
        (1, "naive"): "ok",
        (1 << 40, "native"): "unsupported",
        (1 << 40, "naive"): "unsupported",
    }
    reason = made.results.set_index("N").loc[1 << 40, "reason"].iloc[0]
    assert reason.startswith("needs ")
    assert "bytes with its oracle" in reason


def test_a_reference_that_starts_slowly_takes_part_in_every_pass(tmp_path):
    settings = Settings(budget_s=0.1, passes=2, threads=1, impl=("native",), reference="compiled")
    made = run(sweep(), settings, out=tmp_path / "run")
    assert made.results.set_index("implementation")["passes"].to_dict() == {"compiled": 2, "native": 2}


def test_nothing_that_fits_is_a_usage_error():
    with pytest.raises(UsageError, match=r"no problem fits in memory: the smallest needs .* bytes"):
        plan(sweep(N=(1 << 40,)), SETTINGS)


def test_no_valid_problem_names_what_was_left_out():
    expected = "sweep: no valid problem is left: C is not divisible by G (2, as N1-C8-H6-W5-G3); give other -C or -G"
    with pytest.raises(UsageError) as error:
        plan(sweep(G=("3", "5")), SETTINGS)
    assert str(error.value) == expected


def test_backward_and_training_are_measured_too(tmp_path):
    made = run(sweep(direction=("backward", "training_forward")), SETTINGS, out=tmp_path / "run")
    assert set(made.results["status"]) == {"ok"}
    saved = made.results.set_index(["direction", "implementation"])["saved_bytes"]
    assert saved["training_forward", "native"] > 0
    assert saved.isna()["backward", "native"]
