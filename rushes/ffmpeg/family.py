"""A process and all that it started, straight from /proc: looking through every process of the machine takes longer."""

from __future__ import annotations

from pathlib import Path

import psutil


def family(pid: int) -> list[psutil.Process]:
    """The process first, then its descendants that still live; empty if it is gone.

    By `/proc/PID/task/*/children` (proc(5)), which may leave out one that is born at that moment; by a look through all
    processes where the kernel was built without it.
    """
    try:
        root = psutil.Process(pid)
        if not Path(f"/proc/{pid}/task/{pid}/children").exists():
            return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    found, waiting = [root], _children(pid)
    while waiting:
        child = waiting.pop()
        try:
            found.append(psutil.Process(child))
        except psutil.NoSuchProcess:
            continue
        waiting += _children(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text(encoding="ascii").split())
        except OSError:  # it ended under our eyes
            continue
    return found
