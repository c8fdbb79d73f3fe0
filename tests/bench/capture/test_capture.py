"""The context manager: what it writes, and when."""

import pytest
import torch

from bench.capture import capture
from bench.errors import UsageError
from bench.plan.config import load_config
from bench.plan.sweep import expand


def call():
    return torch.relu(torch.nn.GroupNorm(2, 8)(torch.ones(1, 8, 3, 3)))


def test_a_file_is_written_when_the_block_ends(tmp_path):
    file = tmp_path / "mine.toml"
    with capture(file, model="mine"):
        call().sum().backward()
        assert not file.exists()
    config = load_config(file)
    assert config.sweep.model == "mine"
    assert {(one.problem.direction, one.problem.activation): one.count for one in expand(config.sweep).problems} == {
        ("training_forward", "relu"): 1,
        ("backward", "relu"): 1,
    }


def test_a_file_is_written_when_the_block_fails(tmp_path):
    file = tmp_path / "mine.toml"
    with pytest.raises(TypeError), capture(file):
        call().reshape(call)
    assert "# The program ended early: an exception." in file.read_text()


def test_a_block_without_calls_writes_nothing_and_says_so(tmp_path):
    with (
        pytest.raises(UsageError, match="COMMAND: no call of GroupNorm was seen that can be measured; see docs"),
        capture(tmp_path / "mine.toml"),
    ):
        pass
    with pytest.raises(ZeroDivisionError), capture(tmp_path / "mine.toml"):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_refused_unless_forced(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("old")
    with (
        pytest.raises(UsageError, match="is there already; name a new file, or replace it with --force"),
        capture(file),
    ):
        pytest.fail("the block began")
    with capture(file, force=True):
        call()
    assert file.read_text() != "old"
