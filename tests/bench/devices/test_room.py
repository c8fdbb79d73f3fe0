import pytest

from bench.devices import room


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(room.gpus, "uuids", lambda: ["GPU-a", "GPU-b"])
    monkeypatch.setattr(room.gpus, "free_bytes", {"GPU-a": 10, "GPU-b": 70}.get)


def test_a_cpu_has_the_hosts_memory_and_no_gpu(two_gpus, monkeypatch):
    monkeypatch.setattr(room.host, "available_memory_bytes", lambda: 123)
    assert room.gpu_used("cpu") is None
    assert room.available_memory_bytes("cpu") == 123


def test_problems_must_fit_on_the_gpu_that_is_used(two_gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert room.gpu_used("cuda") == "GPU-b"
    assert room.available_memory_bytes("cuda") == 70


def test_nobody_is_refused_for_memory_that_is_not_known(monkeypatch):
    monkeypatch.setattr(room.gpus, "uuids", list)
    assert room.available_memory_bytes("cuda") >= 1 << 50
