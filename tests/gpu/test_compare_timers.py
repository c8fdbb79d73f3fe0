"""The comparison of timers, on two frames that need no device."""

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent))

from compare_timers import main

SHAPE = {"N": 1, "C": 8, "H": 4, "W": 4, "G": 2, "cache": "cold"}


def run(folder, timer, latency_s, status="ok", reason=None):
    (folder / f"{timer}-cold").mkdir()
    cell = {"implementation": "native", **SHAPE, "timer": timer, "latency_s": latency_s}
    pd.DataFrame([cell | {"status": status, "reason": reason}]).to_parquet(folder / f"{timer}-cold/results.parquet")
    batch = {"seconds": 1e-3, "throttled": timer == "events", "sm_clock_hz": 1.5e9}
    pd.DataFrame([batch]).to_parquet(folder / f"{timer}-cold/samples.parquet")


def test_a_cell_is_a_row_and_a_timer_a_column(tmp_path, capsys):
    run(tmp_path, "events", 2.34e-6)
    run(tmp_path, "graph", None, "failed", "too little")
    main(tmp_path)
    (row,) = pd.read_csv(tmp_path / "timers.csv").to_dict("records")
    assert (row["events"], row["graph"]) == (2.34, "failed")
    assert "batches: 2, throttled: 1" in (told := capsys.readouterr().out)
    assert "native by graph: failed: too little" in told


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(SystemExit, match="there is no run in it"):
        main(tmp_path)
