"""Instructions counted by the real callgrind where it is installed; what cannot be counted is said."""

import time

import pytest
from gating import PLUGIN

from bench.gate import callgrind, counted, sources
from bench.gate.callgrind import Counting
from bench.gate.exact import Exact
from bench.gate.pairs import Pair
from bench.gate.policy import GROWTH
from bench.plan.problem import Problem
from reports.gate_schema import Word

needs_valgrind = pytest.mark.skipif(callgrind.valgrind() is None, reason="valgrind is not installed")
SMALL = Pair(problem=Problem(N=1, C=8, H=4, W=4, G=2), row="mine")
LARGER = Pair(problem=Problem(N=2, C=32, H=16, W=16, G=8), row="mine")


@needs_valgrind
def test_equal_code_counts_alike_and_a_pass_more_is_seen(plugin, tmp_path):
    """A row that adds a pass over x, 64 KB: some per cent of its time, hidden in the noise of a busy machine."""
    files = plugin("a.py"), plugin("b.py", before="x = x + 0")
    for file in files:
        file.write_text(file.read_text() + PLUGIN.format(before="pass", after="").replace('"mine"', '"equal"'))
    told = []
    pairs = [LARGER, Pair(problem=LARGER.problem, row="equal")]
    made = sources.of_plugins(*files, tmp_path / "sides")
    found = Counting(sides=made, apart=False, warn=told.append).instructions(pairs, time.perf_counter() + 300)
    assert told == []
    words = [
        Exact(metric="instructions", base=base, head=head).word(GROWTH["instructions"])
        for base, head in (found[pair.key] for pair in pairs)
    ]
    assert words == [Word.REGRESSED, Word.UNCHANGED]


def test_without_time_nothing_is_counted_and_it_is_said(plugin, tmp_path, monkeypatch):
    made = sources.of_plugins(plugin("a.py"), plugin("b.py"), tmp_path / "sides")
    monkeypatch.setattr(Counting, "_built", lambda self, folder: folder / "requests.so")
    told = []
    counting = Counting(sides=made, apart=True, warn=told.append)
    assert counting.instructions([SMALL, LARGER], time.perf_counter()) == {}
    assert told == ["instructions of 2 of 2 cells are not counted: valgrind ended before"]


@pytest.mark.parametrize(
    ("compiler", "said"),
    [
        ("no-such-compiler", "instructions are not counted: no-such-compiler: No such file or directory"),
        ("false", "instructions are not counted: valgrind's headers are wanted (no reason given)"),
    ],
)
def test_without_a_compiler_or_headers_it_is_said(plugin, tmp_path, monkeypatch, compiler, said):
    monkeypatch.setenv("CC", compiler)
    made = sources.of_plugins(plugin("a.py"), plugin("b.py"), tmp_path / "sides")
    told = []
    assert Counting(sides=made, apart=False, warn=told.append).instructions([SMALL], time.perf_counter() + 60) == {}
    assert told == [said]


def test_a_dump_without_totals_is_a_fault():
    assert counted.total("events: Ir\nsummary: 7\nfn=(1)\n5 7\ntotals: 7\n") == 7
    with pytest.raises(StopIteration):
        counted.total("events: Ir\n")
