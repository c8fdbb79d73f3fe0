"""The choice of a launch: the fastest of those that run, kept on disk, and the default where nothing may be tried."""

import json

import pytest
import torch

from kernels.triton import tuning
from kernels.triton.plan import Choice

CHOICES = (Choice(), Choice(warps=1), Choice(warps=-1))
SECONDS = {CHOICES[0]: 3.0, CHOICES[1]: 1.0, CHOICES[2]: 2.0}


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GNBENCH_CACHE_DIR", str(tmp_path))
    return tmp_path


class Clock:
    """Seconds of what was launched last."""

    def __init__(self, broken=()):
        self.broken, self.last, self.launched = broken, None, []

    def launch(self, choice):
        if choice in self.broken:
            raise RuntimeError("out of resources: shared memory")
        self.last = choice
        self.launched.append(choice)

    def seconds(self, call):
        call()
        return SECONDS[self.last]


def test_the_fastest_is_taken():
    clock = Clock()
    assert tuning.fastest(CHOICES, clock.launch, clock.seconds) == CHOICES[1]
    assert len(clock.launched) == len(CHOICES) * tuning.TRIALS


def test_one_that_cannot_be_launched_is_left_out_and_tried_once():
    clock = Clock(broken=CHOICES[1:2])
    assert tuning.fastest(CHOICES, clock.launch, clock.seconds) == CHOICES[2]
    clock = Clock(broken=CHOICES)
    assert tuning.fastest(CHOICES, clock.launch, clock.seconds) == CHOICES[0]


def test_it_is_found_once_and_read_from_then_on(cache_folder):
    found = []

    def find():
        found.append(1)
        return CHOICES[2]

    for _ in range(2):
        assert tuning.kept(("a",), ("a device",), CHOICES, find) == CHOICES[2]
    assert len(found) == 1
    assert tuning.kept(("a",), ("another device",), CHOICES, find) == CHOICES[2]
    assert len(found) == 2


def test_a_spoilt_file_is_the_default(cache_folder):
    tuning.kept(("a",), (), CHOICES, lambda: CHOICES[2])
    (file,) = cache_folder.rglob("choice.json")
    for text in ("", "{}", json.dumps({"warps": 7, "chunk": 7})):
        file.write_text(text)
        assert tuning.kept(("a",), (), CHOICES, lambda: CHOICES[2]) == CHOICES[0]


def test_switched_off_it_tries_nothing(cache_folder, monkeypatch):
    monkeypatch.setenv("GNBENCH_TRITON_TUNE", "0")
    clock = Clock()
    assert tuning.chosen(("a",), torch.device("cuda", 0), CHOICES, clock.launch) == CHOICES[0]
    assert clock.launched == []
