"""Calls that were seen, as the text of a preset, and back through the plan's reader."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bench.capture.preset import preset, problem_line
from bench.capture.seen import Seen, SeenCall, summed
from bench.plan.config import load_config
from bench.plan.problem import Problem
from bench.plan.sweep import expand

AT = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
CALL = SeenCall(
    shape=(2, 8, 4, 6), layout="contiguous", strides=None, groups=2, eps=1e-5, dtype="float32", weight_dtype="float32",
    bias=True, device="cpu", direction="forward", follows="silu",
)  # fmt: skip


def made(*counted, model="python train.py", ended="", compiles=False, faults=None):
    seen = Seen(calls=dict(counted), torch=("2.13.0",), processes=1, compiles=compiles, faults=faults or {})
    return preset(seen, model=model, at=AT, ended=ended)


def read_back(text, folder):
    file = folder / "captured.toml"
    file.write_text(text, encoding="utf-8")
    config = load_config(file)
    return config, {one.problem: one.count for one in expand(config.sweep).problems}


def test_the_whole_text():
    trained = replace(CALL, direction="training_forward", eps=1e-6)
    strided = replace(CALL, shape=(2, 8, 24), layout="strided", strides=(192, 1, 8), follows="transpose")
    got = made(
        (CALL, 3), (trained, 2), (replace(trained, direction="backward"), 1), (strided, 1),
        (replace(strided, layout="contiguous", strides=None, follows="nothing"), 1), (replace(CALL, shape=(0, 8)), 4),
        ended="SIGINT",
    )  # fmt: skip
    assert got.text.splitlines() == [
        "# python train.py: 8 calls of GroupNorm in one run of it, 5 forward, 2 training_forward, 1 backward.",
        "# Written by gnbench capture at 2026-12-01T08:30:00+00:00 with torch 2.13.0.",
        "# The program ended early: SIGINT.",
        "# 4 calls cannot be measured and are left out: N = 0.",
        "# 1 call from other strides is measured contiguous: (192, 1, 8) 1.",
        "",
        'model = "python train.py"',
        "problem = [",
        "  # forward: 5 calls",
        '  { N = 2, C = 8, H = 4, W = 6, G = 2, activation = "silu", count = 3, '
        'source = "python train.py: then silu" },',
        "  { N = 2, C = 8, H = 1, W = 24, G = 2, count = 2, "
        'source = "python train.py: then transpose 1, nothing 1, 1 from strides (192, 1, 8)" },',
        "  # training_forward: 2 calls",
        '  { N = 2, C = 8, H = 4, W = 6, G = 2, direction = "training_forward", activation = "silu", eps = 1e-06, '
        'count = 2, source = "python train.py: then silu" },',
        "  # backward: 1 call",
        '  { N = 2, C = 8, H = 4, W = 6, G = 2, direction = "backward", activation = "silu", eps = 1e-06, '
        'source = "python train.py: then silu" },',
        "]",
        "",
        "[settings]",
        "budget_s = 20",
    ]
    assert got.summary == "8 calls of GroupNorm in 4 problems: 5 forward, 2 training_forward, 1 backward"


VARIANTS = [
    ({}, {"activation": "silu"}),
    ({"follows": "conv2d"}, {}),
    ({"follows": "relu", "dtype": "bfloat16", "weight_dtype": "float32"},
     {"activation": "relu", "dtype": "bfloat16", "weight_dtype": "float32"}),
    ({"weight_dtype": None, "bias": False, "follows": "add"}, {"affine": False}),
    ({"weight_dtype": "float32", "bias": False, "follows": "add"}, {}),
    ({"eps": 64e-5, "follows": "add"}, {"eps": 64e-5}),
    ({"eps": 1.00000001e-5, "follows": "add"}, {"eps": 1.00000001e-5}),
    ({"layout": "channels_last", "follows": "add"}, {"layout": "channels_last"}),
    ({"direction": "backward", "follows": "nothing"}, {"direction": "backward"}),
    ({"shape": (2, 8, 3, 4, 6), "follows": "add"}, {"H": 12}),
    ({"shape": (2, 8, 5), "follows": "add"}, {"H": 1, "W": 5}),
    ({"shape": (2, 8), "follows": "add"}, {"H": 1, "W": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "asked"), VARIANTS)
def test_a_call_comes_back_from_the_reader_as_its_problem(seen, asked, tmp_path):
    config, problems = read_back(made((replace(CALL, **seen), 7)).text, tmp_path)
    assert problems == {Problem(**({"N": 2, "C": 8, "H": 4, "W": 6, "G": 2} | asked)): 7}
    assert (config.sweep.model, config.sweep.device) == ("python train.py", "cpu")


@pytest.mark.parametrize(
    "model", ["python 'a b.py' --name=\"x\"", "back\\slash", "two\nlines", "Übung 🎉", "del\x7f; {0}"]
)
def test_any_command_can_be_a_models_name(model, tmp_path):
    config, _ = read_back(made((CALL, 1), model=model).text, tmp_path)
    assert config.sweep.model == model


def test_what_ran_on_a_gpu_is_measured_there(tmp_path):
    config, _ = read_back(made((replace(CALL, device="cuda"), 1)).text, tmp_path)
    assert config.sweep.device == "cuda"
    config, _ = read_back(made((replace(CALL, device="cuda"), 1), (CALL, 1)).text, tmp_path)
    assert config.sweep.device == "cpu"


REMARKS = [
    (((replace(CALL, shape=(2, 8, 0, 6)), 1), (CALL, 1)), "1 call cannot be measured and is left out: a size of 0"),
    (((replace(CALL, eps=0), 2), (CALL, 1)),
     "2 calls cannot be measured and are left out: eps = 0.0 is not a positive number"),
    (((replace(CALL, dtype="complex64"), 2), (CALL, 1)),
     "2 calls cannot be measured and are left out: "
     "dtype = 'complex64' is none of float32, float16, bfloat16, float64"),
    (((replace(CALL, follows="unknown"), 5),), "what follows 5 calls could not be seen, so their activation is none"),
]  # fmt: skip


@pytest.mark.parametrize(("counted", "remark"), REMARKS)
def test_what_is_not_measured_as_it_was_called_is_told(counted, remark):
    got = made(*counted)
    assert got.remarks == (remark,)
    assert f"# {remark[:1].upper()}{remark[1:]}." in got.text


def test_a_compiler_and_faults_are_told():
    compiles, fault = made((CALL, 1), compiles=True, faults={"ValueError: no": 2}).remarks
    assert compiles.startswith("the program uses torch.compile, and calls inside compiled code cannot be seen")
    assert fault == "2 calls could not be looked at and are left out: ValueError: no"


def test_without_a_call_there_is_no_problem():
    assert (made().problems, made((replace(CALL, shape=(0, 8)), 1)).problems) == (0, 0)


def test_processes_are_summed():
    row = {
        "shape": [2, 8, 4, 6], "layout": "contiguous", "strides": None, "groups": 2, "eps": 1e-5, "dtype": "float32",
        "weight_dtype": "float32", "bias": True, "device": "cpu", "direction": "forward", "follows": "silu",
    }  # fmt: skip
    one = {"torch": "2.13.0", "compiles": False, "calls": [row | {"count": 3}, row | {"count": 1}], "faults": {"a": 1}}
    other = {"torch": "2.12.0", "compiles": True, "calls": [row | {"count": 2}], "faults": {"a": 2}}
    got = summed([one, other])
    assert got.calls == {CALL: 6}
    assert (got.torch, got.processes, got.compiles, got.faults) == (("2.13.0", "2.12.0"), 2, True, {"a": 3})


def test_a_line_leaves_out_what_is_as_usual():
    assert (
        problem_line(Problem(N=1, C=8, H=2, W=3, G=4), count=1, source="") == "  { N = 1, C = 8, H = 2, W = 3, G = 4 },"
    )
