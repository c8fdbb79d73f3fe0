"""What was compiled between two counts."""

import _ctypes
import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench.measure.compiles import Compiled, Compiles, told

NOTHING = Compiled(graphs=0, kernels=0, libraries=5, programs=7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"graphs": 1}, "torch.compile compiled 1 graph anew"),
        ({"graphs": 3}, "torch.compile compiled 3 graphs anew"),
        ({"kernels": 2}, "Triton compiled 2 kernels anew"),
        ({"libraries": 6}, "loaded a library"),
        ({"programs": 9}, "ran another program, such as a compiler"),
    ],
)
def test_each_kind_is_told(change, words):
    assert told(NOTHING, replace(NOTHING, **change)) == words


def test_a_library_and_a_program_are_counted(tmp_path):
    compiles = Compiles()
    before = compiles.count()
    assert compiles.count() == before
    subprocess.run(["true"])
    assert told(before, between := compiles.count()) == "ran another program, such as a compiler"
    if Path(getattr(_ctypes, "__file__", "/nowhere")).is_file():
        ctypes.CDLL(shutil.copy(_ctypes.__file__, tmp_path / "another.so"))
        assert told(between, compiles.count()) == "loaded a library"
