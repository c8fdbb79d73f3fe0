"""Settings made up, good and bad."""

import pytest

from bench.doctor.findings import Level
from bench.doctor.system import System, judge_system, look

GOOD = {"physical_cores": 4, "huge_pages": "madvise", "libc": "glibc", "preload": ""}
CPU = {"governor": "performance", "smt": False, "available_cores": 4, "logical_cores": 4, "quota_cores": None}


def judged(cpu=None, **system):
    facts = {"cpu": CPU | (cpu or {}), "memory": {"available_bytes": 8e9}}
    return list(judge_system(System(**(GOOD | system)), facts))


def test_good_settings_are_told_as_such():
    assert [(one.level, one.what) for one in judged()] == [
        (Level.OK, "the CPU governor is 'performance'"),
        (Level.OK, "no two logical cores share a core"),
        (Level.OK, "no limit of a container holds back the 4 cores, and 8.0 GB of memory are left"),
        (Level.OK, "huge pages: madvise"),
        (Level.OK, "the allocator is glibc's"),
    ]


@pytest.mark.parametrize(
    ("cpu", "system", "level", "what", "mend"),
    [
        ({"governor": None}, {}, Level.NOTE, "the CPU governor is not shown", "set the governor to performance"),
        ({"smt": True, "available_cores": 8}, {}, Level.WARNING, "8 logical cores are 4 real ones", "give --threads 4"),
        ({}, {"huge_pages": "always"}, Level.WARNING, "huge pages are given unasked", "write madvise to"),
        (
            {},
            {"preload": "/usr/lib/libjemalloc.so.2"},
            Level.WARNING,
            "LD_PRELOAD brings the allocator jemalloc",
            "unset LD_PRELOAD",
        ),
        ({}, {"libc": ""}, Level.WARNING, "the C library is not glibc", "use a system with glibc"),
    ],
)
def test_each_bad_setting_is_one_finding_with_its_mend(cpu, system, level, what, mend):
    (found,) = (one for one in judged(cpu, **system) if one.level is not Level.OK)
    assert (found.level, found.what) == (level, what)
    assert found.mend.startswith(mend)
    assert found.why


def test_what_the_facts_say_elsewhere_is_not_said_twice():
    # host.remarks tells a bad governor and a tight quota.
    told = [one.what for one in judged({"governor": "powersave", "quota_cores": 1.0})]
    assert not any("governor" in what or "container" in what for what in told)


def test_hyper_threading_with_a_real_core_each_is_no_fault():
    (found,) = (one for one in judged({"smt": True}) if "hyper-threading" in one.what)
    assert found.level is Level.OK


def test_the_kernels_word_in_brackets_is_the_chosen_one(tmp_path):
    setting = tmp_path / "enabled"
    setting.write_text("always [madvise] never\n")
    assert look({"LD_PRELOAD": "libtcmalloc.so"}, setting).huge_pages == "madvise"
    assert look({"LD_PRELOAD": "libtcmalloc.so"}, setting).preload == "libtcmalloc.so"
    assert look({}, tmp_path / "absent").huge_pages is None
