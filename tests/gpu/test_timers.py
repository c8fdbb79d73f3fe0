"""The timers on a real device: what they hold, count and refuse. No time is asserted, only what must be."""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from bench.devices.base import TimingRefused, Turns
from bench.devices.cuda import CudaDevice
from bench.devices.cuda.blocking import compiled_blocker
from bench.devices.cuda.nvml import Monitor
from bench.devices.cuda.runtime import TorchRuntime

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture
def device():
    made = CudaDevice()
    made.prepare(torch.get_num_threads())
    return made


@pytest.fixture
def x():
    return torch.randn(2, 64, 32, 32, device="cuda")


def held_for(seconds):
    pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")
    blocker = compiled_blocker(seconds)
    assert blocker is not None
    torch.cuda.synchronize()
    blocker.block()
    passed = torch.cuda.Event()
    passed.record()
    return blocker, passed


def test_nothing_runs_before_the_device_is_let_go():
    blocker, passed = held_for(10.0)
    assert not passed.query()
    blocker.release()
    torch.cuda.synchronize()
    assert passed.query()
    assert not blocker.timed_out()


def test_a_device_that_nobody_lets_go_goes_on_by_itself():
    blocker, passed = held_for(0.01)
    torch.cuda.synchronize()
    assert passed.query()
    assert blocker.timed_out()


@pytest.mark.parametrize("cold", [False, True])
def test_a_batch_of_native_is_held_and_tells_its_clock(device, x, cold):
    pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")
    functional.group_norm(x, 8)
    batch, y = device.time(lambda: functional.group_norm(x, 8), 200, cold=cold)
    assert batch.seconds > 0
    assert batch.remark is None
    torch.testing.assert_close(y, functional.group_norm(x, 8))


def test_a_call_that_waits_for_the_device_is_told(device, x):
    pytest.importorskip("cuda.core", reason="cuda-core is not installed: pip install 'groupnorm-bench[cuda]'")

    def waiting():
        return functional.group_norm(x, 8).sum().item()

    waiting()
    batch, _ = device.time(waiting, 50, cold=False)
    assert batch.remark == "it waits for the device while it is called, so launches show in its time"


def test_nvml_and_torch_speak_of_the_same_device():
    pynvml = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: pip install 'groupnorm-bench[nvml]'")
    torch.cuda.init()
    monitor = Monitor(TorchRuntime().identity())
    assert monitor._device is not None, "NVML does not know the device that torch uses"
    name = pynvml.nvmlDeviceGetName(monitor._device)
    assert (name if isinstance(name, str) else name.decode()) == torch.cuda.get_device_name()
    assert monitor.read().sm_clock_hz > 0


class TestGraph:
    @pytest.fixture(autouse=True)
    def _graph(self, device):
        device.configure(timer="graph", sustained=False)

    def test_a_replay_reads_its_inputs_anew(self, device, x):
        def call():
            return functional.group_norm(x, 8)

        device.time(call, 100, cold=False)
        x.copy_(torch.randn_like(x))
        _, y = device.time(call, 1, cold=False)
        torch.testing.assert_close(y, functional.group_norm(x, 8))

    def test_a_call_that_remembers_is_refused(self, device, x):
        remembered = {}

        def remembering():
            if "y" not in remembered:
                remembered["y"] = functional.group_norm(x, 8)
            return remembered["y"]

        with pytest.raises(TimingRefused):
            device.time(remembering, 20, cold=False)

    def test_a_call_that_waits_is_refused_and_the_device_goes_on(self, device, x):
        def waiting():
            y = functional.group_norm(x, 8)
            torch.cuda.synchronize()
            return y

        with pytest.raises(TimingRefused, match="cannot be captured in a CUDA graph"):
            device.time(waiting, 20, cold=False)
        assert device.recover() is None
        torch.testing.assert_close(functional.group_norm(x, 8), functional.group_norm(x, 8))

    def test_cold_wants_five_caches(self, device, x):
        wanted = device.copies(x.nbytes, cold=True)
        copies = [x.clone() for _ in range(wanted)]
        calls = [lambda one=one: functional.group_norm(one, 8) for one in copies]
        assert device.time(Turns(calls, x.nbytes), wanted, cold=True)[0].seconds > 0
        with pytest.raises(TimingRefused, match="make a replay cold"):
            device.time(Turns(calls[:2], x.nbytes), 20, cold=True)


@pytest.mark.parametrize(("timer", "package"), [("cupti", "cupti"), ("nvbench", "cuda.bench")])
@pytest.mark.parametrize("cold", [False, True])
def test_a_foreign_timer_gives_a_figure_and_the_output(device, x, timer, package, cold):
    pytest.importorskip(package, reason=f"pip install 'groupnorm-bench[{timer}]'")
    device.configure(timer=timer, sustained=False)
    batch, y = device.time(lambda: functional.group_norm(x, 8), 20, cold=cold)
    assert batch.seconds > 0
    torch.testing.assert_close(y, functional.group_norm(x, 8))


BREAKING = """
import torch
from bench.devices.cuda import CudaDevice
device = CudaDevice()
device.prepare(1)
assert device.recover() is None
index = torch.full((1,), 1 << 20, device="cuda")
try:
    torch.zeros(4, device="cuda")[index]
    torch.cuda.synchronize()
except RuntimeError:
    pass
print(device.recover())
"""


def test_a_device_side_assertion_is_seen_to_break_the_context():
    done = subprocess.run([sys.executable, "-c", BREAKING], capture_output=True, text=True)
    assert "its CUDA context is lost (" in done.stdout, done.stderr


def test_a_fork_of_a_process_that_has_only_imported_torch_may_use_the_device():
    script = "import bench.measure.zygote, os, torch\npid = os.fork()\nif pid == 0:\n"
    script += "    torch.ones(1, device='cuda').item()\n    os._exit(0)\nprint(os.waitpid(pid, 0)[1])\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "0", done.stderr
