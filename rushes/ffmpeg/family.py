"""A process and all that it started, straight from /proc: looking through every process of the machine takes longer."""

from __future__ import annotations

from contextlib import suppress
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
    """Of all its threads; of those that end under our eyes, none."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def is_starved(processes: list[psutil.Process]) -> bool:
    """Whether one of them would run if it were given a processor: others go before it, and it is not its own fault."""
    for process in processes:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_RUNNING:
                return True
    return False
