"""Compiled kernels of both sides, asked of a pretended executor; the question itself of a real row."""

from dataclasses import dataclass

import pytest

from bench.gate import compiled
from bench.gate.exact import Exact
from bench.gate.inspecting import inspect
from bench.gate.sources import Sides
from bench.measure.link import WorkerLost
from bench.measure.messages import Consulted, Side
from kernels.table import Implementation
from reports.schema import Status


class Executor:
    """Answers for each sided name; what it holds may be an answer or what a worker is lost of."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def fresh_worker(self, names):
        (self.name,) = names
        return self

    def ask(self, request, timeout_s):
        self.asked.append((request.name, request.question["arch"]))
        answer = self.answers[request.name.partition("@")[2]]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def sides(tmp_path):
    for label, text in (("base", "a"), ("head", "b")):
        folder = tmp_path / label / "kernels" / "triton"
        folder.mkdir(parents=True)
        (folder / "forward.py").write_text(text)
    made = {label: Side(label=label, root=str(tmp_path / label)) for label in ("base", "head")}
    return Sides(**made, base_name="", head_name="")


def answered(registers):
    return Consulted(answer={"kernels": {"forward": {"registers": registers}}})


def test_only_rows_whose_sources_differ_are_compiled_for_each_architecture(sides):
    executor = Executor(base=answered(32), head=answered(48))
    found = list(compiled.compared(executor, sides, ("triton", "cuda"), ("sm_80", "sm_90"), print))
    assert found == [
        ("triton", Exact(metric="registers", base=32, head=48, kernel=f"forward on {arch}"))
        for arch in ("sm_80", "sm_90")
    ]
    assert executor.asked == [(f"triton@{side}", arch) for arch in ("sm_80", "sm_90") for side in ("base", "head")]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (Consulted(status="failed", reason="CompileError: sm_80"), "CompileError: sm_80"),
        (WorkerLost("triton", Status.TIMEOUT, "no answer in 600 s"), "timeout: no answer in 600 s"),
    ],
)
def test_what_cannot_be_compiled_is_told_once(sides, head, said):
    told = []
    executor = Executor(base=answered(32), head=head)
    assert list(compiled.compared(executor, sides, ("triton",), ("sm_80", "sm_90"), told.append)) == []
    assert told == [f"triton's kernels are not compared for sm_80: {said}"]


@dataclass
class Resources:
    registers: int


def test_a_row_answers_with_plain_data():
    row = Implementation(name="mine", call=None, inspect=lambda arch: {arch: Resources(registers=8), "b": {"x": 1}})
    assert inspect(row, {"arch": "sm_90"}, print) == {"kernels": {"sm_90": {"registers": 8}, "b": {"x": 1}}}
    with pytest.raises(LookupError, match=r"mine has no inspect\(arch\)"):
        inspect(Implementation(name="mine", call=None), {"arch": "sm_90"}, print)
