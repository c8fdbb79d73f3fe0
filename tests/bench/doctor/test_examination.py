"""The whole examination, shortened."""

import json
import os
import sys
from dataclasses import asdict

import pytest

from bench import doctor
from bench.doctor import Level, cores, system
from bench.doctor import noise as noise_
from bench.doctor.noise import Noise, Spread
from bench.doctor.system import System
from bench.doctor.watch import Disturbance


@pytest.fixture
def quiet(monkeypatch):
    """A machine that nothing disturbs."""
    one = Spread(floor=0.001, spread=0.02, median_s=1e-3)
    disturbance = Disturbance(
        seconds=2.0, others_cores=0.0, busiest=None, stolen=0.0, waited=0.0, preemptions=0, throttlings=0
    )
    plain = System(physical_cores=None, huge_pages="madvise", libc="glibc", preload="")
    monkeypatch.setattr(system, "look", lambda: plain)
    monkeypatch.setattr(noise_, "measure", lambda seconds: Noise(memory=one, arithmetic=one, disturbance=disturbance))


def test_an_examination_looks_at_everything_and_puts_the_worst_first(monkeypatch):
    monkeypatch.setattr(cores, "_PROBE_S", 0.01)
    loaded = "torch" in sys.modules
    found = doctor.examine(noise_s=0.05)
    ranks = [list(Level).index(finding.level) for finding in found.findings]
    assert ranks == sorted(ranks, reverse=True)
    assert found.facts["cpu"]["logical_cores"] == os.cpu_count()
    assert 0 < found.clock_step_s < 1e-3
    assert found.noise.memory.median_s > 0
    assert ("torch" in sys.modules) == loaded
    for finding in found.findings:
        assert bool(finding.why) == bool(finding.mend) == (finding.level is not Level.OK)
    json.dumps(asdict(found), allow_nan=False)


def test_the_verdict_is_the_noises_and_every_subject_is_told(monkeypatch, quiet):
    monkeypatch.setattr(cores, "_PROBE_S", 0.01)
    found = doctor.examine()
    assert found.verdict.sentence == "good for 1 % differences"
    told = " | ".join(finding.what for finding in found.findings)
    for subject in (
        "equal memory-bound work",
        "equal arithmetic work",
        "other programs used",
        "waited",
        "hypervisor",
        "heat",
        "clock",
        "governor",
        "logical cores",
        "huge pages",
        "allocator",
        "import names",
        "ompiler",
    ):
        assert subject in told, subject
