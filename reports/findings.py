"""What each picture shows, in one sentence: its title for who cannot see it, its caption for who can."""

from __future__ import annotations

import pandas as pd

from .quantities import byte_count, is_null, listed, percent, plural, ratio, seconds, ulp
from .schema import Status
from .views import answer_counts


def speedup_map(cells: pd.DataFrame) -> str:
    """Say the range of speed-ups of the implementation that wins most."""
    counts = answer_counts(cells)
    references = cells.loc[cells["is_reference"], "implementation"].unique()
    reference = str(references[0]) if len(references) else "the reference"
    others = (counts["problems"] > 0) & (counts["implementation"] != reference)
    known = counts[others].sort_values(["wins", "speedup"], ascending=False)
    if known.empty:
        return "Speed-up to the reference: no implementation beside it has one."
    best = known.iloc[0]
    return (
        f"Speed-up to {reference} by problem: {best['implementation']} is fastest on {best['wins']}"
        f", and {ratio(best['speedup_least'])} to {ratio(best['speedup_most'])} as fast as {reference}."
    )


def scaling(part: pd.DataFrame, axis: str) -> str:
    """Say how far the fastest implementation's latency moves along a slice."""
    reached = part.groupby("implementation")["value"].transform("nunique")
    # Whoever misses a value of the slice cannot show how latency moves along it.
    whole = part[reached == reached.max()]
    last = whole[whole["value"] == whole["value"].max()].sort_values(["latency_s", "implementation"]).iloc[0]
    name = last["implementation"]
    first = whole[whole["implementation"] == name].sort_values("value").iloc[0]
    return (
        f"Latency against {axis} at {part['slice'].iloc[0]}: {name} goes from {seconds(first['latency_s'])}"
        f" at {first['value']} to {seconds(last['latency_s'])} at {last['value']}."
    )


def bytes_time(points: pd.DataFrame) -> str:
    """Say who comes nearest to a plain copy."""
    known = points[points["roofline_fraction"].notna()]
    if known.empty:
        return f"Time against bytes moved for {plural(len(points), 'cell')}; no plain copy was timed beside them."
    best = _largest(known, "roofline_fraction")
    return (
        f"Time against bytes moved: {best['implementation']} comes nearest to a plain copy,"
        f" at {percent(best['roofline_fraction'])} of its speed on {best['problem']}."
    )


def memory(memory: pd.DataFrame) -> str:
    """Say the least and the most extra memory."""
    known = memory[memory["extra_bytes"].notna()]
    if known.empty:
        return "Memory beyond inputs and outputs was not measured."
    most = _largest(known, "extra_bytes")
    largest = known.groupby("implementation")["extra_bytes"].max()
    least = f"never {'need' if (largest == largest.min()).sum() > 1 else 'needs'} more than {byte_count(largest.min())}"
    leanest = [str(name) for name in largest.index[largest == largest.min()]]
    return (
        f"Memory beyond inputs and outputs: {listed(leanest)} {least};"
        f" {most['implementation']} needs {byte_count(most['extra_bytes'])} on {most['problem']}."
    )


def error(errors: pd.DataFrame) -> str:
    """Say the largest error of the right cells, and name the wrong ones."""
    right = errors[(errors["status"] == Status.OK) & errors["error_ulp"].notna()]
    wrong = sorted({str(name) for name in errors.loc[errors["status"] != Status.OK, "implementation"]})
    tail = f" {listed(wrong)} gave wrong results." if wrong else ""
    if right.empty:
        return f"No right cell has an error to show.{tail}"
    worst = _largest(right, "error_ulp")
    return (
        f"Error against time: the largest error of a right cell is {ulp(worst['error_ulp'])},"
        f" by {worst['implementation']} on {worst['problem']}.{tail}"
    )


def stability(dots: pd.DataFrame, problem: str, floor: float | None) -> str:
    """Say how many rounds and passes are drawn and what the noise floor is."""
    passes = int(dots["pass"].nunique())
    noise = "" if is_null(floor) else f"; two copies of the reference differ by up to {percent(floor)}"
    return f"Every timed round on {problem}: {plural(len(dots), 'round')} in {passes} columns, one a pass{noise}."


def _largest(frame: pd.DataFrame, column: str) -> pd.Series:
    return frame.sort_values(column, ascending=False, kind="stable").iloc[0]
