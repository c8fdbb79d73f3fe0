"""What the driver's library tells, with a library that knows two GPUs."""

import sys
import types
from types import SimpleNamespace

import pytest

from bench import gpus


class Nvml(types.ModuleType):
    NVML_CLOCK_SM = "sm"
    opened = 0

    def nvmlInit(self):  # noqa: N802
        self.opened += 1

    def nvmlShutdown(self):  # noqa: N802
        self.opened -= 1

    def nvmlDeviceGetCount(self):  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return f"GPU-{'ab'[index]}"

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        if uuid not in {"GPU-a", "GPU-b"}:
            raise KeyError(uuid)
        return uuid

    def nvmlDeviceGetUUID(self, handle):  # noqa: N802
        return handle

    def nvmlDeviceGetName(self, handle):  # noqa: N802
        return {"GPU-a": "first", "GPU-b": "second"}[handle]

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
        return SimpleNamespace(total=80, free={"GPU-a": 10, "GPU-b": 70}[handle])

    def nvmlDeviceGetClockInfo(self, handle, which):  # noqa: N802
        return 1500

    def nvmlDeviceGetComputeRunningProcesses(self, handle):  # noqa: N802
        return [SimpleNamespace(pid=7)] if handle == "GPU-a" else []


@pytest.fixture
def nvml(monkeypatch):
    library = Nvml("pynvml")
    monkeypatch.setitem(sys.modules, "pynvml", library)
    yield library
    assert library.opened == 0


def test_what_is_asked_by_uuid_is_of_that_gpu(nvml):
    assert gpus.uuids() == ["GPU-a", "GPU-b"]
    assert [gpus.free_bytes(name) for name in gpus.uuids()] == [10, 70]
    assert [gpus.computing_on(name) for name in gpus.uuids()] == [[7], []]


def test_what_a_library_lacks_is_none_beside_what_it_has(nvml):
    first, second = gpus.facts()
    assert (first["name"], second["name"], first["sm_clock_hz"]) == ("first", "second", 1.5e9)
    assert first["driver"] is first["mig"] is None


def test_an_unknown_gpu_and_a_missing_library_tell_nothing(nvml, monkeypatch):
    assert gpus.free_bytes("gpu-0") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert (gpus.facts(), gpus.uuids(), gpus.computing_on("GPU-a")) == ([], [], [])
