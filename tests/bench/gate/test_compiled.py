"""Compiled kernels of both sides, asked of a pretended executor; the question itself of a real row."""

from dataclasses import dataclass

import pytest

from bench.gate import compiled
from bench.gate.exact import Exact
from bench.gate.inspecting import inspect, launches
from bench.gate.sources import Sides
from bench.measure.link import WorkerLost
from bench.measure.messages import Consulted, Side
from bench.plan.problem import Problem
from kernels.table import Implementation
from reports.gate_schema import Word
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
        self.asked.append((request.name, request.question.get("arch")))
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


def inspection(executor, sides, architectures, warn=print):
    return compiled.Inspection(executor=executor, sides=sides, architectures=architectures, warn=warn)


def answered(registers):
    return Consulted(answer={"kernels": {"forward": {"registers": registers}}})


def test_only_rows_whose_sources_differ_are_compiled_for_each_architecture(sides):
    executor = Executor(base=answered(32), head=answered(48))
    found = list(inspection(executor, sides, ("sm_80", "sm_90"), print).resources(("triton", "cuda")))
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
    assert list(inspection(executor, sides, ("sm_80", "sm_90"), told.append).resources(("triton",))) == []
    assert told == [f"triton's kernels are not compared for sm_80: {said}"]


@dataclass
class Resources:
    registers: int


def test_a_row_answers_with_plain_data():
    row = Implementation(name="mine", call=None, inspect=lambda arch: {arch: Resources(registers=8), "b": {"x": 1}})
    assert inspect(row, {"arch": "sm_90"}, print) == {"kernels": {"sm_90": {"registers": 8}, "b": {"x": 1}}}
    with pytest.raises(LookupError, match=r"mine has no inspect\(arch\)"):
        inspect(Implementation(name="mine", call=None), {"arch": "sm_90"}, print)


UNET = Problem(N=2, C=320, H=64, W=64, G=32)


def launching(**counts):
    """Give what a side answers: for each architecture the number of its call's launches, None where it has none."""
    names = {arch: [None if count is None else ["kernel"] * count] for arch, count in counts.items()}
    return Consulted(answer={"launches": names})


def test_a_kernel_more_for_a_call_is_told_by_problem_and_architecture(sides):
    executor = Executor(base=launching(sm_80=1, sm_90=None), head=launching(sm_80=2, sm_90=1))
    found = list(inspection(executor, sides, ("sm_80", "sm_90")).launches(("triton", "cuda"), [UNET]))
    assert [(row, one.metric, one.base, one.head) for row, one in found] == [("triton", "launches", 1, 2)]
    assert found[0][1].kernel.endswith(" on sm_80")
    assert found[0][1].word(0.0) == Word.REGRESSED


def test_a_revision_that_does_not_know_the_question_is_said():
    told = []
    row = Implementation(name="mine", call=None)
    with pytest.raises(LookupError, match=r"mine has no launches\(problem, arch\)"):
        launches(row, {"problems": [UNET.to_dict()], "archs": ["sm_90"]}, told.append)


def test_a_problem_that_a_row_cannot_do_has_no_launches():
    def count(problem, arch):
        if arch == "sm_1":
            raise KeyError(arch)
        return ["a", "b"]

    row = Implementation(name="mine", call=None, launches=count)
    found = launches(row, {"problems": [UNET.to_dict()], "archs": ["sm_1", "sm_90"]}, print)
    assert found == {"launches": {"sm_1": [None], "sm_90": [["a", "b"]]}}
