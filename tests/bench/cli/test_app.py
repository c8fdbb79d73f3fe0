"""The command as a user calls it, in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.cli.app import main

ROOT = Path(bench.__file__).parents[1]
FAULTY = Path(__file__).parents[1] / "plugins" / "faulty.py"
SMALL = ("-N", "1", "-C", "8", "-H", "6", "-W", "5", "-G", "4", "--threads", "1", "--budget", "0.1", "--passes", "1")


def gnbench(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "gnbench", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


HEAVY = ("torch", "pandas", "numpy", "scipy", "pyarrow", "matplotlib", "seaborn", "kernels", "reports")


@pytest.mark.parametrize("module", ["bench.cli.app", "bench", "gnbench", "kernels"])
def test_starting_up_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules and name != {module!r}])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("command", ["list", "doctor", "selftest", "run", "report", "compare", "merge"])
def test_help_shows_an_example(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"Example: gnbench {command}" in " ".join(capsys.readouterr().out.split())


USAGE_ERRORS = [
    (("run", "-N", "0"), "-N: "),
    (("selftest", "--budget", "3"), "--budget: 3 s is too short for a self-test; give at least 20"),
    (("selftest", "--threads", "none"), "--threads: "),
    (("run", "-N", "-3"), "-N: "),
    (("run", "-H", "ten"), "-H: "),
    (("run", "-G", "C/0"), "-G: "),
    (("run", "--dtype", "float23"), "--dtype: "),
    (("run", "--preset", "quik"), "--preset: 'quik' is no preset; did you mean 'quick'?"),
    (("run", "--impl", "natve", "--dry-run", "--budget", "0"), "--budget: "),
    (("run", *SMALL, "--impl", "natve"), "--impl: no implementation is called 'natve'; did you mean 'native'?"),
    (
        ("run", *SMALL, "--reference", "nativ"),
        "--reference: no implementation is called 'nativ'; did you mean 'native'?",
    ),
    (
        ("run", *SMALL, "--plugin", "absent.py"),
        "--plugin: there is no file absent.py; give a Python file with @register",
    ),
    (("run", *SMALL, "--device", "gpu"), "--device: 'gpu' is unknown; did you mean 'cpu'?"),
    (("run", *SMALL, "--timer", "events"), "--timer: 'events' does not measure cpu here; use host"),
    (("run", *SMALL, "--sustained"), "--sustained: cpu has no clock that a stretch of load would settle; leave it out"),
    (
        ("run", *SMALL, "--device", "cuda", "--timer", "host"),
        "--timer: 'host' does not measure cuda here; use events, graph, cupti or nvbench",
    ),
    (("run", *SMALL[:3], "9", "-G", "2", "-H", "1", "-W", "1"), "sweep: no valid problem is left: "),
    (("run", *SMALL, "--threads", "4096"), "--threads: 4096 is more than the "),
    (("run", "--config", "absent.toml"), "--config: absent.toml cannot be read (No such file or directory); "),
    (("run", "--resume", "nowhere"), "--resume: there is no folder nowhere; "),
    (("run", "--resume", "nowhere", "-N", "2"), "--resume: "),
    (("run", "--resume", "nowhere", "--json", "-N", "2"), "--resume: is given together with -N; "),
    (("run", *SMALL, "--accept-changes"), "--accept-changes: is given without --resume; "),
    (("run", *SMALL, "--shard", "5/4"), "--shard: there is no part 5 of 4; "),
    (("run", *SMALL, "--shard", "slurm"), "--shard: 'slurm' needs a job array, but SLURM_ARRAY_TASK_ID is not set; "),
    (("merge", "nowhere", "--out", "whole"), "PART: there is no folder nowhere; "),
    (("run", "--nonsense"), "No such option: --nonsense"),
    (("report", "nowhere"), "RUN: there is no folder nowhere; "),
    (("report", "nowhere", "--format", "pdf"), "--format: 'pdf' is unknown; "),
    (("compare", "nowhere", "nowhere"), "BASE: there is no folder nowhere; "),
    (("compare", "nowhere"), "Missing argument"),
    (("lst",), "No such command 'lst'"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), USAGE_ERRORS, ids=lambda value: " ".join(value)[:60] if value else ""
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gnbench", *arguments])
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith(f"gnbench: {message}")
    assert list(tmp_path.rglob("run.json")) == []


def test_a_misspelt_key_is_named_with_its_path_and_neighbour(tmp_path, capsys):
    config = tmp_path / "mine.toml"
    config.write_text("[[problem]]\nN = 1\nC = 8\nH = 4\nW = 4\nG = 2\nlayuot = 'contiguous'\n")
    assert main(["run", "--config", str(config)]) == 2
    assert "problem[0].layuot: is an unknown key; did you mean 'layout'?" in capsys.readouterr().err


def test_a_syntax_error_in_the_only_plugin_asked_for(tmp_path):
    (tmp_path / "mine.py").write_text("def group_norm(:\n")
    done = gnbench("run", *SMALL, "--plugin", "mine.py", "--impl", "mine", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("gnbench: --impl: nothing that was asked for can run here (mine: SyntaxError")
    assert not list(tmp_path.rglob("run.json"))


def test_cuda_without_a_gpu_is_a_usage_error(tmp_path):
    done = gnbench("run", *SMALL, "--device", "cuda", cwd=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert done.stderr == (
        "gnbench: --device: cuda cannot be used (RuntimeError: no CUDA device is visible); use --device cpu\n"
    )


def test_an_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    done = gnbench("run", *SMALL, "--out", tmp_path / "file" / "run")
    assert done.returncode == 2
    assert "--out: cannot write to" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    done = gnbench("run", *SMALL, "--impl", "naive", "--json", "--out", folder / "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done, folder / "run"


def test_json_is_one_document_with_the_results(ran):
    done, path = ran
    document = json.loads(done.stdout)
    assert document["run"] == str(path)
    assert {row["implementation"] for row in document["results"]} == {"native", "naive"}
    assert document["results"][0]["host_latency_s"] is None


def test_progress_is_plain_lines_where_there_is_no_terminal(ran):
    done, _ = ran
    assert "1 problem x native, naive" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_folder_that_holds_a_run_is_not_overwritten(ran):
    _, path = ran
    before = (path / "results.parquet").read_bytes()
    done = gnbench("run", *SMALL, "--out", path)
    assert done.returncode == 2
    assert "already holds a run" in done.stderr
    assert (path / "results.parquet").read_bytes() == before


def test_a_finished_run_resumes_to_status_0(ran):
    assert gnbench("run", "--resume", ran[1]).returncode == 0


def test_reports_in_every_form(ran, tmp_path):
    done = gnbench("report", ran[1], "--format", "html,md,csv,latex,json", "--out", tmp_path / "pages")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "pages").iterdir())) == 5


def test_a_run_compares_with_itself(ran):
    done = gnbench("compare", ran[1], ran[1], "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["differences"] == document["totals"] == []
    assert {row["change"] for row in document["cells"]} <= {1.0, None}


@pytest.mark.parametrize(
    ("file", "content"),
    [("run.json", "{"), ("run.json", '{"format_version": 99}'), ("results.parquet", "no parquet")],
)
def test_a_damaged_run_is_said_in_one_line(ran, tmp_path, capsys, file, content):
    import shutil

    shutil.copytree(ran[1], tmp_path / "run")
    (tmp_path / "run" / file).write_text(content)
    assert main(["report", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("doctor", "--json")])
def test_a_reader_that_has_read_enough_is_no_failure(arguments):
    command = [sys.executable, "-P", "-m", "gnbench", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_an_interrupted_command_says_how_to_go_on(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.doctor.examine", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == (
        "gnbench: interrupted; a run that had begun goes on with 'gnbench run --resume RUN'\n"
    )


def test_a_config_without_problems_says_so(tmp_path, capsys):
    (tmp_path / "empty.toml").write_text("")
    assert main(["run", "--config", str(tmp_path / "empty.toml")]) == 2
    assert capsys.readouterr().err == (
        "gnbench: sweep: has no problem; give -N -C -H -W -G, or [[problem]] in the file\n"
    )


def test_a_dry_run_tells_the_problems_and_measures_nothing(tmp_path):
    done = gnbench(
        "run", "--dry-run", "--json", "-C", "320,30", *SMALL[:2], "-H", "4", "-W", "4", "-G", "32", cwd=tmp_path
    )
    document = json.loads(done.stdout)
    (problem,) = document["problems"]
    assert {"N", "C", "H", "W", "G", "eps", "dtype", "layout", "direction", "activation", "count", "fits"} <= set(
        problem
    )
    assert document["left_out"][0]["count"] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_a_big_sweep_shows_its_beginning(capsys):
    sizes = ",".join(map(str, range(4, 29)))
    assert main(["run", "--dry-run", "-N", sizes, "-C", "8", "-H", sizes, "-W", "4", "-G", "4"]) == 0
    shown = capsys.readouterr().out
    assert "the first 200 of 625 problems; --json lists all" in " ".join(shown.split())
    assert len(shown.splitlines()) < 230


def test_a_task_of_an_array_without_its_part_is_warned(tmp_path):
    array = {f"SLURM_ARRAY_TASK_{name}": value for name, value in (("ID", "1"), ("MIN", "0"), ("COUNT", "4"))}
    done = gnbench("run", *SMALL, "--impl", "natve", "--out", tmp_path / "run", **array)
    assert done.returncode == 2
    assert "each measures the whole sweep; give --shard slurm" in done.stderr


def test_an_implementation_asked_for_that_goes_wrong_is_status_1_and_all_is_written(tmp_path):
    done = gnbench("run", *SMALL, "--plugin", FAULTY, "--impl", "right,segfaults,wrong", "--out", tmp_path / "run")
    assert done.returncode == 1, done.stderr
    assert "segfaults on N1-C8-H6-W5-G4: crashed" in done.stderr
    assert "wrong on N1-C8-H6-W5-G4: incorrect" in done.stderr
    assert (tmp_path / "run" / "report.html").is_file()


def test_an_implementation_nobody_asked_for_may_fail(tmp_path):
    (tmp_path / "bad.py").write_text(
        "from kernels import register\n@register('bad', devices=('cpu',))\n"
        "def bad(x, num_groups, weight, bias, eps, *, activation='none'):\n    raise RuntimeError('no')\n"
    )
    excluded = "compiled,triton,cuda,cpp,naive"
    done = gnbench("run", *SMALL, "--plugin", "bad.py", "--exclude", excluded, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    status = {row["implementation"]: row["status"] for row in json.loads(done.stdout)["results"]}
    assert status == {"native": "ok", "bad": "failed"}


def test_the_list_says_what_each_row_is(tmp_path):
    document = json.loads(gnbench("list", "--json", "--plugin", FAULTY).stdout)
    rows = {row["name"]: row for row in document["implementations"]}
    assert list(rows)[:6] == ["native", "naive", "compiled", "triton", "cuda", "cpp"]
    assert rows["absent"]["unavailable"] == "no such chip"


def test_the_doctor_answers():
    document = json.loads(gnbench("doctor", "--json").stdout)
    assert document["facts"]["cpu"]["available_cores"] >= 1
    assert document["selftest"] is None
    done = gnbench("doctor")
    assert done.returncode == 0
    assert re.search(r"verdict: (good for|usable: expect to tell|not usable now:) ", done.stdout)


@pytest.mark.parametrize(("met", "status"), [(True, 0), (False, 1)])
def test_a_selftest_answers_with_its_status_and_shows_every_check(met, status, monkeypatch, capsys):
    from bench.selftest.checks import Check
    from bench.selftest.run import SelfTest

    asked = {}
    check = Check(check="time of waits-1ms", unit="s", expected=1e-3, measured=1.02e-3, bias=0.02, goal="1%", met=met)

    def measured(**given):
        asked.update(given)
        return SelfTest(form="full", seconds=60.0, passes=6, checks=(check,))

    monkeypatch.setattr("bench.selftest.run.selftest", measured)
    assert main(["selftest", "--budget", "60", "--threads", "1", "--seed", "3"]) == status
    shown = capsys.readouterr().out
    assert re.search("time of waits-1ms .* 1.000 ms .* 1.020 ms .* [+]2.00%", shown)
    assert ("not true" in shown) != met
    del asked["listener"]
    assert asked == {"quick": False, "seconds": 60.0, "out": None, "threads": 1, "seed": 3}
    assert main(["selftest", "--quick", "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert (document["is_true"], document["checks"][0]["bias"]) == (met, 0.02)
    assert (asked["quick"], asked["seconds"], asked["threads"]) == (True, None, None)


@pytest.mark.parametrize(("met", "status"), [(True, 0), (False, 1)])
def test_the_doctor_measures_on_request(met, status, monkeypatch, capsys):
    from bench import doctor
    from bench.selftest.checks import Check
    from bench.selftest.run import SelfTest

    real = doctor.examine
    check = Check(check="liar scribbles", unit="", expected="inconsistent", measured="ok", met=met)
    found = SelfTest(form="quick", seconds=30.0, passes=6, checks=(check,))
    monkeypatch.setattr(doctor, "examine", lambda: real(noise_s=0.05))
    monkeypatch.setattr("bench.selftest.run.selftest", lambda **given: found if given["quick"] else None)
    assert main(["doctor", "--measure", "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert document["selftest"]["checks"][0]["check"] == "liar scribbles"
    assert document["verdict"]["sentence"]


def test_a_fault_of_our_own_shows_no_traceback(monkeypatch, capsys):
    def fail(*_, **__):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("bench.doctor.examine", fail)
    monkeypatch.delenv("GNBENCH_DEBUG", raising=False)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == (
        "gnbench: ZeroDivisionError: oops; this is a fault of gnbench's own, GNBENCH_DEBUG=1 shows where\n"
    )
    monkeypatch.setenv("GNBENCH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


@pytest.mark.parametrize("name", ["kernels", "bench", "reports"])
def test_another_owner_of_an_import_name_is_said(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("'''Somebody else's.'''\n")
    done = gnbench("list", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"gnbench: import name {name}: {tmp_path / name} belongs to another distribution; ")
    assert len(done.stderr.splitlines()) == 1
