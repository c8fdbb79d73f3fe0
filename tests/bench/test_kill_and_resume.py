"""SIGKILL at three moments; tests/bench/kill_and_resume.py does it as often as asked."""

import sys

import pytest
from kill_and_resume import survive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a worker with its parent")
def test_a_killed_run_loses_no_finished_visit_and_leaves_no_process(tmp_path):
    kills = survive(["append", "append", "frames"], seed=1, folder=tmp_path)
    assert kills == {"append": 2, "frames": 1}
