"""``gnbench gate --self-check``: how often the gate itself alarms, and what it finds, on this machine."""

from __future__ import annotations

from pathlib import Path

from bench.errors import ExitStatus, UsageError
from bench.gate.asked import Asked


def self_check(asked: Asked, *, passes: int, replay: Path | None, out: Path | None, as_json: bool) -> int:
    """Record equal code (or take what was recorded), replay gates, and show what they said."""
    from bench.cli.show import console, document, frame_records, interruptible, listening
    from bench.gate.proof.check import prove, record
    from bench.gate.proof.recording import LEAST_PASSES
    from reports.forms import gate_proof

    if replay is None and passes < LEAST_PASSES:
        raise UsageError("--passes", f"{passes} is below {LEAST_PASSES}", "gates are assembled from 400 and more")
    with interruptible(), listening() as listener:
        path = replay or record(asked, out, passes, listener)
    proof = prove(path, gates=GATES, budget_s=asked.settings.budget_s, seed=asked.settings.seed)
    title = f"{proof.cells} cells of equal code, {proof.passes} recorded passes; budget {asked.settings.budget_s:g} s"
    if replay is None:
        (path.parent / "proof.md").write_text(gate_proof.markdown(proof.frame), encoding="utf-8")
    if as_json:
        document({"recording": str(path), "passes": proof.passes, "rows": frame_records(proof.frame)})
    else:
        console().print(gate_proof.table(proof.frame, title))
        console().print(f"recording: {path}", soft_wrap=True)
    return ExitStatus.DONE


GATES = 1000
"""Replayed for each slowdown."""
