"""The whole examination on one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench import host
from bench.doctor import noise as noise_
from bench.doctor import software, system
from bench.doctor.cores import Spin, clock_step_s, cores_to_probe, judge_clock, judge_spins, spin
from bench.doctor.findings import Finding, Level
from bench.doctor.noise import Noise
from bench.doctor.verdict import Verdict, judge, judge_noise


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """What was found, the worst first."""

    verdict: Verdict
    facts: dict[str, Any]
    clock_step_s: float
    spins: tuple[Spin, ...]
    noise: Noise
    findings: tuple[Finding, ...]


def examine(noise_s: float = noise_.SECONDS) -> Examination:
    """Look at this machine; takes about 3 s.

    Parameters
    ----------
    noise_s
        Seconds for which equal work is measured against itself.
    """
    facts = host.facts()
    step_s = clock_step_s()
    spins = tuple(spin(core) for core in cores_to_probe())
    noise = noise_.measure(noise_s)
    findings = [
        *(Finding(level=Level.WARNING, what=one.what, why=one.why, mend=one.mend) for one in host.remarks(facts)),
        *judge_noise(noise),
        *judge_clock(step_s),
        *judge_spins(spins),
        *system.judge_system(system.look(), facts),
        *software.judge_import_names(),
        *software.judge_packages(facts),
        *software.judge_compiler(),
        *software.judge_cache(),
        *software.judge_gpu(facts),
    ]
    findings.sort(key=lambda finding: list(Level).index(finding.level), reverse=True)
    return Examination(
        verdict=judge(noise, facts["cpu"]["available_cores"] or 1, facts["cpu"]["logical_cores"]),
        facts=facts,
        clock_step_s=step_s,
        spins=spins,
        noise=noise,
        findings=tuple(findings),
    )
