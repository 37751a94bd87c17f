"""Work that gives way to others, with all processes that it starts.

Linux groups the tasks of a desktop or a plain server by session (sched(7), "The autogroup feature"): there, niceness counts
among the tasks of one session only, and every child of ours has a session of its own. So the session as a whole gives way too,
and the tools of a child stay in it: of sessions of their own, many were over before anybody had told them. Measured on four
cores beside 24 encoding threads: a short step took 1.4 times as long as on an idle machine with niceness alone, whichever, or
with SCHED_IDLE alone; as long as there with the session's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rushes.clock import pause

IDLE = 20
"""Beyond any niceness: runs only where nobody else wants to (SCHED_IDLE, sched(7))."""
LEAST = 19
AS_SESSION = 10
"""Of a session, for work that somebody does want: a ninth of what another program's session gets on the same core. With 5 it is
a third, and an upload beside a flood takes longer to become playable (docs/decisions/0036)."""

ASK_AGAIN, ASKED = 0.05, 20
"""Seconds between two attempts to change a session's niceness, and how many there are."""


def give_way(nice: int) -> None:
    """This process, and what it starts from now on, as far as it is let. 0: it does not."""
    if nice <= 0:
        return
    with suppress(OSError):
        os.nice(min(nice, LEAST))
    if nice >= IDLE:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    for _ in range(ASKED):
        if give_way_as_session(os.getpid(), nice):
            return
        pause(ASK_AGAIN)


def own_niceness() -> int:
    return IDLE if os.sched_getscheduler(0) == os.SCHED_IDLE else max(0, os.nice(0))


def give_way_as_session(pid: int, nice: int) -> bool:
    """The session of a process of ours. False where the kernel wants to be asked again: it takes ten changes a second from
    those who may not do everything. A machine without these groups needs none."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text(
            str(LEAST if nice >= IDLE else min(nice, AS_SESSION)), encoding="ascii"
        )
    except BlockingIOError:
        return False
    except OSError:  # no such groups, or the process is gone
        return True
    return True


def is_alone() -> bool:
    """Whether this process leads a session that has no terminal, as a worker's child does: what it starts may stay in there, and
    gives way with it. A tool that shared a terminal could put words into its user's mouth (ioctl_tty(2), TIOCSTI)."""
    if os.getsid(0) != os.getpid():
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return True
    return False
