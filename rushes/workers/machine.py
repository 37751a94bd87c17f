"""What this process may use of its machine: the least of what the kernel's control groups, its CPU set and the machine allow.

A container on a host of 64 cores that may use two of them has two: `os.cpu_count()` does not know that.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import psutil

GIGABYTE = 1_000_000_000
OWN_MEMORY = 1 * GIGABYTE
"""Bytes that are left to the worker itself, its warm children and the page cache."""
SLOT_MEMORY = 750_000_000
"""Bytes that a slot needs: the ladder of a 1080p chunk holds 609 to 724 MB (bench/scale)."""
LATENCY_CORES = 4
"""Cores that a slot gets where one video is to be done soon: its rungs are encoded beside each other."""
MOST_SLOTS = 256


@dataclass(frozen=True)
class Machine:
    cores: float
    memory: int
    """Bytes."""
    host: str = ""
    gpu: str = ""
    """Names what is there: `nvidia:1`; empty: none."""

    def slots(self, tune: Literal["throughput", "latency"]) -> int:
        """Heavy steps at a time (docs/decisions/0036): one to a core for most videos an hour, fewer where each has to be done
        soon; and never more than there is memory for."""
        wanted = self.cores if tune == "throughput" else self.cores / LATENCY_CORES
        room = (self.memory - OWN_MEMORY) // SLOT_MEMORY
        return max(1, min(int(wanted + 0.01), room, MOST_SLOTS))


def look(root: Path = Path("/")) -> Machine:
    """`root` is where the kernel's file systems are found."""
    cores = min([float(len(os.sched_getaffinity(0))), *cpu_limits(root)])
    memory = min([psutil.virtual_memory().total, *memory_limits(root)])
    return Machine(cores=cores, memory=memory, host=socket.gethostname(), gpu=gpus(root))


def cpu_limits(root: Path) -> Iterator[float]:
    """In cores. Version 2: `cpu.max` holds quota and period, or `max` (Documentation/admin-guide/cgroup-v2.rst); version 1: two
    files, and a quota of -1 is none (scheduler/sched-bwc.rst)."""
    for text in _read(root, "", "cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)
    periods = _read(root, "cpu", "cpu.cfs_period_us")
    for text, period in zip(_read(root, "cpu", "cpu.cfs_quota_us"), periods, strict=False):
        if text.isdigit() and period.isdigit():
            yield int(text) / int(period)


def memory_limits(root: Path) -> Iterator[int]:
    """In bytes. Without one, version 2 says `max`, version 1 a number that no machine has."""
    for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        yield from (int(text) for text in _read(root, controller, name) if text.isdigit())


def gpus(root: Path) -> str:
    """NVIDIA's driver lists its devices in /proc. Whether a library can use one, that library says when it is loaded."""
    try:
        count = sum(1 for _ in (root / "proc/driver/nvidia/gpus").iterdir())
    except OSError:
        return ""
    return f"nvidia:{count}" if count else ""


def _read(root: Path, controller: str, name: str) -> Iterator[str]:
    """What files of this name say, of our group and of all above it: each may hold a limit. `controller` of version 1; empty:
    the one tree of version 2."""
    for folder in _groups(root, controller):
        try:
            yield (folder / name).read_text(encoding="ascii").strip()
        except OSError:
            continue


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """In a container, our path may be told as the host sees it, while the tree that is mounted begins at our group: then only
    its root is there."""
    path = _own_path(root, controller)
    if path is None:
        return
    mounts = [root / "sys/fs/cgroup" / (controller or "unified"), *([] if controller else [root / "sys/fs/cgroup"])]
    inside = PurePosixPath(path.lstrip("/"))
    for mount in mounts:
        yield from (mount / folder for folder in (inside, *inside.parents))


def _own_path(root: Path, controller: str) -> str | None:
    """From /proc/self/cgroup: lines of `number:controllers:path` (cgroups(7))."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") and (controller or not controllers):
            return path
    return None
