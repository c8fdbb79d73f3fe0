import getpass
import json
import os
import platform
import subprocess
import sys

import psutil
import pytest

from bench import cgroup, host


def test_facts_are_plain_data_of_the_contracts_shape():
    facts = host.facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert set(facts) == {"host", "cpu", "memory", "gpu", "versions", "git", "load"}
    assert facts["cpu"]["logical_cores"] == os.cpu_count()
    assert 1 <= facts["cpu"]["available_cores"] <= os.cpu_count()
    assert facts["host"]["python"] == platform.python_version()
    assert facts["memory"]["total_bytes"] == psutil.virtual_memory().total


def test_no_fact_names_the_host_or_its_user():
    text = json.dumps(host.facts()).lower().split('"')
    assert platform.node().lower() not in text
    assert getpass.getuser().lower() not in text


def test_asking_never_raises_where_the_system_tells_nothing(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError("not here")

    for name in ("virtual_memory", "swap_memory", "getloadavg", "sensors_battery", "sensors_temperatures"):
        monkeypatch.setattr(psutil, name, refuse, raising=False)
    monkeypatch.setattr(cgroup, "_OWN", tmp_path / "none")
    monkeypatch.setattr(host, "_CPU", tmp_path)
    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    facts = host.facts(tmp_path)
    assert facts["memory"] == {"total_bytes": None, "available_bytes": None, "swap_used_bytes": None}
    assert facts["load"] == {"before": None, "after": None}
    assert facts["git"] is None
    assert {name: facts["cpu"][name] for name in ("l2_bytes", "l3_bytes", "governor", "smt", "turbo", "hot")} == (
        dict.fromkeys(("l2_bytes", "l3_bytes", "governor", "smt", "turbo", "hot"))
    )
    assert facts["cpu"]["available_cores"] == os.cpu_count()
    host.warnings(facts)


@pytest.mark.parametrize(("quota", "cores"), [(None, 8), (2.5, 2), (0.5, 1), (64.0, 8)])
def test_available_cores_obey_affinity_and_quota(monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cgroup, "quota_cores", lambda: quota)
    assert host.available_cores() == cores


def test_available_memory_obeys_the_groups_limit(monkeypatch):
    monkeypatch.setattr(cgroup, "memory_left_bytes", lambda: 123)
    assert host.available_memory_bytes() == 123
    monkeypatch.setattr(cgroup, "memory_left_bytes", lambda: None)
    assert host.available_memory_bytes() > 123


def test_cache_sizes_are_read_in_bytes(monkeypatch, tmp_path):
    for index, (level, kind, size) in enumerate([(1, "Data", "32K"), (2, "Unified", "1024K"), (3, "Unified", "32M")]):
        folder = tmp_path / f"cpu0/cache/index{index}"
        folder.mkdir(parents=True)
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{text}\n")
    monkeypatch.setattr(host, "_CPU", tmp_path)
    cpu = host.facts()["cpu"]
    assert (cpu["l2_bytes"], cpu["l3_bytes"]) == (1024**2, 32 * 1024**2)


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_git_tells_the_revision_and_whether_tracked_files_changed(tmp_path):
    assert host.facts(tmp_path)["git"] is None
    git(tmp_path, "init", "-q")
    assert host.facts(tmp_path)["git"] is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-q", "-m", "first")
    revision = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").touch()
    assert host.facts(tmp_path)["git"] == {"revision": revision, "dirty": False}
    (tmp_path / "a").write_text("2")
    assert host.facts(tmp_path)["git"] == {"revision": revision, "dirty": True}


GOOD = {
    "host": {"virtual": False, "on_battery": False},
    "cpu": {
        "logical_cores": 4,
        "available_cores": 4,
        "quota_cores": None,
        "governor": "performance",
        "hot": False,
    },
    "memory": {"swap_used_bytes": 0},
    "load": {"before": 0.2},
}


@pytest.mark.parametrize(
    ("room", "fact", "value", "start"),
    [
        ("host", "virtual", True, "this is a virtual machine: "),
        ("host", "on_battery", True, "this machine runs on its battery: "),
        ("cpu", "governor", "powersave", "the CPU governor is 'powersave': "),
        ("cpu", "available_cores", 1, "only one core may be used: "),
        ("cpu", "quota_cores", 1.5, "a quota grants 1.5 of 4 cores: "),
        ("cpu", "hot", True, "a sensor is at its high temperature: "),
        ("memory", "swap_used_bytes", 10**9, "1000 MB are swapped out: "),
        ("load", "before", 1.25, "1.2 processes wanted to run in the last minute: "),
    ],
)
def test_each_bad_fact_gives_its_own_warning(room, fact, value, start):
    (warning,) = host.warnings(GOOD | {room: GOOD[room] | {fact: value}})
    assert warning.startswith(start)
    assert "; " in warning


def test_good_or_unknown_facts_give_none():
    assert host.warnings(GOOD) == []
    assert host.warnings({}) == []
    assert host.warnings({room: dict.fromkeys(facts) for room, facts in GOOD.items()}) == []


def test_importing_host_loads_nothing_heavy():
    heavy = "{'torch', 'numpy', 'pandas', 'pyarrow', 'scipy'}"
    code = f"import sys, bench.host; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
