import subprocess
import sys

import psutil
import pytest

from bench.neighbours import Neighbour, busy, look, warning


def test_others_are_counted_and_our_own_children_are_not():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ours, other = psutil.Process(child.pid), psutil.Process(1)
        found = busy({ours: 0.0, other: 5.0}, {ours: 1.0, other: 5.15}, 0.2, ())
        child.communicate(b"\n")
    assert [(one.pid, one.cores) for one in found] == [(1, 0.75)]


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="this system tells no affinity")
def test_a_process_that_may_not_run_on_our_cores_is_no_neighbour():
    other = psutil.Process(1)
    assert busy({other: 0.0}, {other: 1.0}, 1.0, (1 << 20,)) == ()


def test_a_process_that_began_within_the_window_is_left_out():
    assert busy({}, {psutil.Process(1): 3.0}, 0.2, ()) == ()


def test_looking_takes_no_harm_from_processes_that_end():
    assert all(one.cores > 0 for one in look((), window_s=0.05))


def test_only_much_is_said_and_the_busiest_is_named():
    small = Neighbour(pid=7, name="editor", cores=0.15)
    assert warning([small]) is None
    assert warning([Neighbour(pid=8, name="blender", cores=1.25), small]) == (
        "other programs keep 1.4 cores busy, most of it blender (process 8), 1 more with it: "
        "figures taken beside them are doubtful; stop them, or wait"
    )
