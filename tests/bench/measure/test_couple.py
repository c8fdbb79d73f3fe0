"""Two workers that answer as one: who is asked what, who sleeps meanwhile, and what becomes of their answers."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from bench.measure import messages
from bench.measure.couple import Couple

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stops processes by signals")


def settled(pid):
    """Give a process's state; a signal takes a moment to arrive."""
    for _ in range(100):
        if (state := psutil.Process(pid).status()) == psutil.STATUS_STOPPED:
            break
        time.sleep(0.01)
    return state


class Pretended:
    """A worker with a real process, which answers as it is told and notes what it was asked and who was awake."""

    def __init__(self, label, asked):
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self.pid = self.process.pid
        self.label, self.asked, self.others = label, asked, []
        self.struck = False

    def ask(self, request, timeout_s):
        states = [settled(other.pid) for other in self.others]
        self.asked.append((self.label, request, states))
        match request:
            case messages.Load():
                rows = [row("native"), *[row(f"cpp@{side.label}") for side in request.sides]]
                return messages.Loaded(rows=rows, device_problem=None, threads=1, resolution_s=1e-9, empty_call_s=1e-9)
            case messages.Open():
                return messages.Opened(refused={}, untimed={name: self.label for name in request.names if "@" in name})
            case messages.Time():
                made = [
                    messages.TimedBatch(name=name, calls=calls, seconds=1.0, struck=self.struck)
                    for name, calls in request.batches
                ]
                return messages.Timed(batches=made, spin_s=1.0 if self.label == "base" else 2.0, stolen_s=0.5)
            case messages.Close():
                return messages.Closed(inconsistent={self.label: "changed"})
            case _:
                return self.label

    def close(self):
        self.process.kill()
        self.process.wait()


def row(name):
    return messages.RowFacts(
        name=name, place="", origin="builtin", devices=[], dtypes=[], layouts=[], activations=[],
        differentiable=False, slow_start=False, unavailable=None,
    )  # fmt: skip


@pytest.fixture
def couple():
    asked = []
    workers = [Pretended(label, asked) for label in ("base", "head")]
    for worker in workers:
        worker.others = [other for other in workers if other is not worker]
    made = Couple(*workers, ("base", "head"))
    made.asked, made.both = asked, workers
    yield made
    for worker in workers:
        worker.process.send_signal(signal.SIGCONT)
    made.close()


def asked(couple):
    return [(label, type(request).__name__) for label, request, _ in couple.asked]


def test_each_loads_its_own_side_and_the_rows_are_one_table(couple):
    sides = [messages.Side(label=label, root="") for label in ("base", "head")]
    request = messages.Load(device="cpu", threads=1, names=None, plugins=[], order_seed=0, sides=sides)
    loaded = couple.ask(request, 1.0)
    assert {one.name for one in loaded.rows} == {"native", "cpp@base", "cpp@head"}
    assert [[side.label for side in one.sides] for _, one, _ in couple.asked] == [["base"], ["head"]]


def test_a_name_is_asked_where_it_lives_and_the_other_one_is_stopped(couple):
    assert couple.ask(messages.Warm(name="cpp@base"), 1.0) == "base"
    assert couple.ask(messages.Warm(name="cpp@head"), 1.0) == "head"
    assert couple.ask(messages.Warm(name=messages.TWIN), 1.0) == "head"
    assert couple.ask(messages.Warm(name="native"), 1.0) == "base"
    assert {state for *_, states in couple.asked for state in states} == {psutil.STATUS_STOPPED}


def test_the_reference_is_opened_and_checked_by_both(couple):
    problem = {"N": 1}
    request = messages.Open(
        problem=problem, names=["native", "cpp@base", "cpp@head"], reference="native", seed=0, placement_seed=0,
        cold=False,
    )  # fmt: skip
    opened = couple.ask(request, 1.0)
    assert opened.untimed == {"cpp@base": "base", "cpp@head": "head"}
    assert [one.names for _, one, _ in couple.asked] == [["native", "cpp@base"], ["native", "cpp@head"]]
    assert couple.ask(messages.Check(name="native"), 1.0) == "base"
    assert asked(couple)[2:] == [("base", "Check"), ("head", "Check")]


def test_a_batch_of_who_was_woken_is_preceded_by_one_that_counts_for_nothing(couple):
    request = messages.Time(round=0, batches=[("cpp@base", 100), ("cpp@head", 50)], verify=True)
    timed = couple.ask(request, 1.0)
    assert [(one.name, one.calls) for one in timed.batches] == [("cpp@base", 100), ("cpp@head", 50)]
    assert (timed.spin_s, timed.stolen_s) == (2.0, 1.0)
    assert [(label, one.batches, one.verify) for label, one, _ in couple.asked] == [
        ("base", [("cpp@base", 3)], False),
        ("base", [("cpp@base", 100)], True),
        ("head", [("cpp@head", 3)], False),
        ("head", [("cpp@head", 50)], True),
    ]


def test_a_struck_batch_ends_the_round(couple):
    couple.both[0].struck = True
    timed = couple.ask(messages.Time(round=0, batches=[("cpp@base", 1), ("cpp@head", 1)], verify=False), 1.0)
    assert [one.name for one in timed.batches] == ["cpp@base"]


def test_what_changed_is_told_of_both(couple):
    assert couple.ask(messages.Close(), 1.0).inconsistent == {"base": "changed", "head": "changed"}
