"""The zygote never touches CUDA: a process that has, cannot be forked safely."""

import os
import subprocess
import sys
from pathlib import Path

import bench

SCRIPT = """
import torch

def touched(*_, **__):
    raise SystemExit("CUDA was asked for in the zygote")

for name in ("is_available", "device_count", "init", "_lazy_init", "current_device", "get_device_properties"):
    setattr(torch.cuda, name, touched)
import bench.measure.zygote
assert not torch.cuda.is_initialized()
assert "libcuda.so" not in open("/proc/self/maps").read() if sys.platform == "linux" else True
""".replace("import torch\n", "import sys\nimport torch\n", 1)


def test_nothing_that_a_zygote_imports_asks_for_a_device():
    environment = os.environ | {"PYTHONPATH": str(Path(bench.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-P", "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
