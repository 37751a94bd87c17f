"""What a worker may use, read from control groups that are planted here as kernels and container engines show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rushes.workers.machine import GIGABYTE, MOST_SLOTS, Machine, cpu_limits, gpus, look, memory_limits

NONE_V1 = "9223372036854771712"


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n", encoding="ascii")
    return root


V1 = "5:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n0::/docker/abc"
TREES = {
    "version 2, in a container": (
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000", "sys/fs/cgroup/memory.max": "2000000000"},
        [1.5], [2_000_000_000],
    ),
    "version 2, no limit": (
        {"proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 100000", "sys/fs/cgroup/a/memory.max": "max"}, [], [],
    ),
    "version 2, the group above has one too": (
        {"proc/self/cgroup": "0::/pod/one", "sys/fs/cgroup/pod/one/cpu.max": "400000 100000",
         "sys/fs/cgroup/pod/cpu.max": "200000 100000"}, [4.0, 2.0], [],
    ),
    "version 1, as the host sees it": (
        {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "50000",
         "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000",
         "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "1000000000"}, [0.5], [1_000_000_000],
    ),
    "version 1, in a container: its own group is the root of what is mounted": (
        {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000",
         "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000", "sys/fs/cgroup/memory/memory.limit_in_bytes": NONE_V1},
        [3.0], [int(NONE_V1)],
    ),
    "version 1, no limit": (
        {"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
        [], [],
    ),
    "both, version 2 apart": (
        {"proc/self/cgroup": "1:cpu:/\n0::/", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
         "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000", "sys/fs/cgroup/unified/memory.max": "5"}, [], [5],
    ),
    "none at all": ({}, [], []),
    "nonsense": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "much", "sys/fs/cgroup/memory.max": ""}, [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_limits_of_control_groups(tmp_path: Path, name: str) -> None:
    files, cores, memory = TREES[name]
    root = plant(tmp_path, files)
    assert (list(cpu_limits(root)), list(memory_limits(root))) == (cores, memory)


def test_the_least_counts(tmp_path: Path) -> None:
    root = plant(
        tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000", "sys/fs/cgroup/memory.max": "7"}
    )
    found = look(root)
    assert (found.cores, found.memory) == (0.5, 7)


def test_this_machine_can_be_looked_at() -> None:
    found = look()
    assert found.cores > 0 and found.memory > 0 and found.host


@pytest.mark.parametrize(
    ("cores", "gigabytes", "throughput", "latency"),
    [(0.5, 8, 1, 1), (1, 8, 1, 1), (4, 16, 4, 1), (8, 16, 8, 2), (16, 64, 16, 4), (64, 16, 20, 16), (4, 0.5, 1, 1),
     (999, 999, 256, 249)],
)  # fmt: skip
def test_slots_go_by_cores_and_memory(cores: float, gigabytes: float, throughput: int, latency: int) -> None:
    machine = Machine(cores=cores, memory=int(gigabytes * GIGABYTE))
    assert (machine.slots("throughput"), machine.slots("latency")) == (throughput, latency)
    assert MOST_SLOTS == 256


def test_graphics_processors_are_those_that_the_driver_lists(tmp_path: Path) -> None:
    assert gpus(tmp_path) == ""
    (tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0").mkdir(parents=True)
    assert gpus(tmp_path) == "nvidia:1"
