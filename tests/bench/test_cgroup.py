import pytest

from bench import cgroup


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write a tree of control group files and make the process believe in it."""

    def write(own, tree):
        (tmp_path / "own").write_text(own)
        for name, text in tree.items():
            path = tmp_path / "mount" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        monkeypatch.setattr(cgroup, "_OWN", tmp_path / "own")
        monkeypatch.setattr(cgroup, "_MOUNT", tmp_path / "mount")

    return write


def test_the_tightest_group_of_version_2_counts(files):
    files(
        "0::/pod/box\n",
        {
            "pod/box/cpu.max": "max 100000",
            "pod/cpu.max": "150000 100000",
            "pod/box/memory.max": "1000",
            "pod/box/memory.current": "700",
            "pod/box/memory.stat": "anon 500\ninactive_file 150\nactive_file 50",
            "pod/memory.max": "max",
            "pod/memory.current": "900",
        },
    )
    assert cgroup.quota_cores() == 1.5
    assert cgroup.memory_left_bytes() == 450


def test_version_1_has_a_mount_for_each_controller(files):
    files(
        "4:memory:/box\n3:cpu,cpuacct:/\n",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "200000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/box/memory.limit_in_bytes": "1000",
            "memory/box/memory.usage_in_bytes": "1200",
            "memory/box/memory.stat": "inactive_file 1\ntotal_inactive_file 50",
        },
    )
    assert cgroup.quota_cores() == 2.0
    assert cgroup.memory_left_bytes() == 0


@pytest.mark.parametrize(
    ("own", "tree"),
    [
        ("", {}),
        ("0::/box\n", {}),
        ("0::/box\n", {"box/cpu.max": "max 100000", "box/memory.max": "max", "box/memory.current": "9"}),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}),
    ],
)
def test_without_a_limit_there_is_none(files, own, tree):
    files(own, tree)
    assert cgroup.quota_cores() is None
    assert cgroup.memory_left_bytes() is None
