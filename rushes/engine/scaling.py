"""How much work a pool is given machines for. Pure."""

from __future__ import annotations


def scale_cpu_seconds(ready_cpu: float, running_cpu: float, *, ready: int, running: int, paused: bool) -> float:
    """CPU seconds, to be divided by those that one machine shall do (docs/decisions/0041).

    What runs counts, and at least a second for each step: one that takes longer than was thought has nothing left by the
    numbers, and its machine is still needed. What a paused pool does not begin needs none.
    """
    wanted = 0.0 if paused else max(ready_cpu, float(min(1, ready)))
    return wanted + max(running_cpu, float(running))
