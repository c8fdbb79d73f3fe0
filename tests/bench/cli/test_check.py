"""The command, in real workers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BROKEN = Path(__file__).parents[1] / "check" / "broken.py"


def gnbench(*arguments):
    return subprocess.run([sys.executable, "-m", "bench", "check", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dies-of-one-position", "exited with status 7"),
        pytest.param(
            "takes-memory",
            "GiB may be taken here)",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone"),
        ),
    ],
)
def test_a_death_breaks_a_law_and_costs_no_other_case(name, reason):
    done = gnbench("--plugin", str(BROKEN), "--impl", name, "--json", "--threads", "1")
    assert done.returncode == 1, done.stderr
    (row,) = json.loads(done.stdout)["implementations"]
    laws = {one["law"]: one for one in row["laws"]}
    assert not row["is_right"]
    assert laws["shapes"]["state"] == "broken"
    assert reason in laws["shapes"]["reason"]
    assert laws["right"]["state"] == laws["hard"]["state"] == "holds"
    assert laws["gradients"]["state"] == "not applicable"


def test_an_unknown_name_and_a_missing_file_are_told_in_one_line():
    for arguments, told in (
        (("--impl", "nativ"), "gnbench: --impl: no implementation is called 'nativ'; did you mean 'native'?\n"),
        (("--plugin", "none.py"), "gnbench: --plugin: there is no file none.py; give a Python file with @register\n"),
        (("--device", "gpu"), "gnbench: --device: 'gpu' is unknown; did you mean 'cpu'?\n"),
    ):
        done = gnbench(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == told
