"""Parts made of rows that were never measured: joining looks at no figure."""

import json
from dataclasses import replace

import pytest

from bench.errors import UsageError
from bench.merge import merge, missing, read_parts
from bench.plan.config import Settings
from bench.plan.sweep import Axes, Sweep, expand, shard
from bench.record import frames, rundir
from reports.schema import ResultRow, SampleRow

SWEEP = Sweep(entries=(Axes(N=(4, 2, 1), C=(8, 9), H=(4,), W=(4,), G=("4",)),))
NAMES = ("native", "mine")
PROBLEMS = expand(SWEEP).problems
OF = 2


@pytest.fixture
def part(tmp_path):
    """Write part ``place`` of the sweep, with changes to its run.json."""

    def write(place, name=None, of=OF, **changes):
        problems = shard(PROBLEMS, place, of)
        run_id = f"part-{place}"
        info = {
            "run_id": run_id,
            "command": ["gnbench", "run", "-N", "4,2,1", "--shard", f"{place}/{of}", "--out=x"],
            "started": f"2026-11-24T20:1{place}:00+00:00",
            "finished": f"2026-11-24T20:2{place}:00+00:00",
            "sweep": SWEEP.to_dict(),
            "settings": replace(Settings(threads=1), shard=(place, of)).to_dict(),
            "problems": [{"key": one.problem.key, "count": one.count, "source": one.source} for one in problems],
            "names": list(NAMES),
            "environment": {"torch": "2.13.0", "CPU": "a CPU", "variable NVIDIA_VISIBLE_DEVICES": f"state {place}"},
            "cost": {"wall_s": 10.0 * place, "harness_fraction": 0.25},
        }
        directory = rundir.create(tmp_path / (name or f"s{place}"), info | changes)
        rows = [
            ResultRow(run_id=run_id, implementation=one, **counted.problem.to_dict(), status="not_measured")
            for counted in problems
            for one in NAMES
        ]
        samples = [
            SampleRow(run_id=run_id, implementation="native", **counted.problem.to_dict(), pass_=0, launch=launch,
                      round=0, position=0, calls=1, seconds=1e-3)
            for counted in problems for launch in (0, 1)
        ]  # fmt: skip
        frames.write(directory.path, rows, samples)
        return directory.path

    return write


def test_the_joined_rows_are_those_of_the_whole_sweep_in_its_order(part, tmp_path):
    joined = merge(read_parts([part(2), part(1)]), tmp_path / "whole", ["gnbench", "merge"])
    read = frames.read(joined.path)
    expected = [(one.problem.N, one.problem.C, name) for one in PROBLEMS for name in NAMES]
    columns = (read.results[name] for name in ("N", "C", "implementation"))
    assert list(zip(*columns, strict=True)) == expected
    info = joined.info()
    assert set(read.results["run_id"]) == set(read.samples["run_id"]) == {info["run_id"]}
    assert [one["key"] for one in info["problems"]] == [one.problem.key for one in PROBLEMS]
    assert [one["run_id"] for one in info["parts"]] == ["part-1", "part-2"]
    assert (info["started"], info["finished"]) == ("2026-11-24T20:11:00+00:00", "2026-11-24T20:22:00+00:00")
    assert info["cost"] == {"wall_s": 30.0, "harness_fraction": 0.25}
    assert info["settings"]["shard"] is None
    assert joined.report_path.is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"s1", "s2", "whole"}


def test_launches_of_different_parts_are_different_processes(part, tmp_path):
    read = frames.read(merge(read_parts([part(1), part(2)]), tmp_path / "whole").path)
    assert read.samples.groupby("launch")["N"].count().to_dict() == {
        launch: len(shard(PROBLEMS, place, OF)) for place in (1, 2) for launch in (2 * place - 2, 2 * place - 1)
    }


def test_parts_that_are_missing_are_commands_to_paste(part, tmp_path):
    lacking = missing(read_parts([part(2, of=3)]))
    assert lacking.places == (1, 3)
    assert lacking.commands == tuple(
        f"gnbench run -N 4,2,1 --shard {place}/3 --out {tmp_path}/part-{place}-of-3" for place in (1, 3)
    )
    assert missing(read_parts([part(1), part(2, name="other")])) is None


SETTINGS = replace(Settings(threads=1), shard=(2, OF))


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"settings": replace(SETTINGS, budget_s=20.0).to_dict()}, "settings.budget_s is 20.0 and 40.0"),
        ({"names": ["native"]}, "names is ['native'] and ['native', 'mine']"),
        ({"environment": {"torch": "2.14.0", "CPU": "a CPU"}}, "torch was 2.13.0 and is 2.14.0"),
        ({"environment": {"torch": "2.13.0", "CPU": "another"}}, "CPU was a CPU and is another"),
        ({"settings": replace(SETTINGS, shard=(2, 3)).to_dict()}, "one is part 2 of 3, the other 1 of 2"),
    ],
)
def test_parts_that_were_measured_otherwise_are_refused_with_the_first_difference(part, changes, difference):
    first, other = part(1), part(2, **changes)
    with pytest.raises(UsageError) as error:
        read_parts([first, other])
    assert str(error.value) == (
        f"PART: {other} and {first} are not of one sweep: {difference}; merge parts that were measured alike"
    )


def test_another_sweep_is_refused(part):
    other = part(2, sweep=replace(SWEEP, device="cuda").to_dict())
    with pytest.raises(UsageError, match="are not of one sweep: sweep is "):
        read_parts([part(1), other])


def test_a_part_twice_is_refused(part):
    first, again = part(1), part(1, name="again")
    with pytest.raises(UsageError) as error:
        read_parts([first, again])
    assert str(error.value) == f"PART: {again} and {first} are both part 1 of 2; name each part once"


def test_a_part_that_is_not_finished_is_refused_with_how_to_finish_it(part):
    path = part(1, finished=None)
    with pytest.raises(UsageError) as error:
        read_parts([path])
    assert str(error.value) == f"PART: {path} is not finished; finish it with 'gnbench run --resume {path}'"


def test_a_whole_run_is_no_part(part):
    path = part(1, settings=Settings(threads=1).to_dict())
    with pytest.raises(UsageError, match="is no part of a sweep; name runs made with --shard"):
        read_parts([path])


def test_nothing_is_written_over_and_a_failure_leaves_nothing(part, tmp_path):
    parts = read_parts([part(1), part(2)])
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"--out: .*taken is not empty; name another folder"):
        merge(parts, taken)
    (tmp_path / "s2" / "samples.parquet").write_text("no parquet")
    with pytest.raises(UsageError, match=r"samples\.parquet cannot be read"):
        merge(parts, tmp_path / "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"s1", "s2", "taken"}


def test_a_joined_run_is_finished_and_resumes_to_itself(part, tmp_path):
    from bench.run import resume

    joined = merge(read_parts([part(1), part(2)]), tmp_path / "whole")
    before = json.dumps(joined.info())
    resume(joined.path)
    assert json.dumps(joined.info()) == before
