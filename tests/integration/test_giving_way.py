"""Work that gives way does so with its whole session, and so do the tools that it starts, from their first moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rushes.clock import pause
from rushes.ffmpeg.family import is_starved
from rushes.ffmpeg.giving_way import IDLE

SAY = (
    "import os, pathlib; group = pathlib.Path('/proc/self/autogroup');"
    "print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE, group.read_text().split()[-1] if group.exists() else '-')"
)
CHILD = f"import sys; from rushes.ffmpeg.giving_way import give_way; give_way(int(sys.argv[1])); {SAY}"


def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        pause(0.05)
    raise AssertionError("it did not come true")


@pytest.mark.parametrize(
    ("nice", "niceness", "session", "idle"),
    [(0, 0, 0, False), (3, 3, 3, False), (10, 10, 10, False), (IDLE, 19, 19, True)],
)
def test_a_child_gives_way_with_its_session_but_bulk_alone_altogether(
    nice: int, niceness: int, session: int, idle: bool
) -> None:
    command = [sys.executable, "-c", CHILD, str(nice)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout.split()
    before = os.nice(0)
    assert said[:2] == [str(min(19, before + niceness)), str(idle)]
    if said[2] != "-":
        assert int(said[2]) == session


BEGIN = """
import os, sys, time
from pathlib import Path
from rushes.ffmpeg.confinement import Confinement
from rushes.ffmpeg.family import family
from rushes.ffmpeg.giving_way import give_way, is_alone
from rushes.ffmpeg.process import Process
from rushes.ffmpeg.sandbox import confine, detect, minimal_environment
def nice(pid): return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])
give_way(10)
"""


def said_by(program: str, *, leads: bool = True) -> str:
    """What a Python process says that leads a session of its own, or one below it, which does not."""
    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this kernel does not group tasks by session")
    command = [sys.executable, "-c", BEGIN + program]
    if not leads:
        command = ["sh", "-c", 'exec "$0" "$@" & wait', *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, start_new_session=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_tools_of_a_worker_s_child_stay_in_its_session_and_give_way_with_it() -> None:
    said = said_by(
        "mode = detect('preferred')\n"
        "inside = Confinement(reads=(), libraries=(Path('/bin/sleep'),))\n"
        "tool = Process(confine(mode, inside, ['/bin/sleep', '60']), minimal_environment(mode), quiet=True)\n"
        "sleeps = lambda: [one for one in family(tool.pid) if one.name() == 'sleep']\n"
        "while not sleeps(): time.sleep(0.01)\n"
        "members = family(tool.pid)\n"
        "print(all(os.getsid(one.pid) == os.getpid() and nice(one.pid) == 10 for one in members))\n"
        "tool.kill(); print(family(tool.pid), any(one.is_running() and one.status() != 'zombie' for one in members))"
    )
    assert said == "True\n[] False"


def test_a_tool_of_another_process_has_a_session_of_its_own_that_gives_way_at_once() -> None:
    said = said_by(
        "tool = Process(['sleep', '60'], {'PATH': '/usr/bin:/bin'}, quiet=True)\n"
        "print(is_alone(), os.getsid(tool.pid) == tool.pid, nice(tool.pid)); tool.kill()",
        leads=False,
    )
    assert said == "False True 10"


def test_no_tool_shares_the_terminal_of_who_starts_it() -> None:
    said = said_by(
        "import fcntl, pty, termios\n"
        "fcntl.ioctl(pty.openpty()[1], termios.TIOCSCTTY, 0)\n"
        "tool = Process(['sh', '-c', 'exec 3</dev/tty'], {'PATH': '/usr/bin:/bin'}, quiet=True)\n"
        "print(is_alone(), os.getsid(tool.pid) == tool.pid, tool.wait(30), tool.returncode != 0); tool.kill()"
    )
    assert said == "False True True True"


def test_who_waits_or_is_stopped_is_not_starved_and_who_would_run_is() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy,
        subprocess.Popen(["sleep", "60"]) as asleep,
    ):
        try:
            until(lambda: is_starved([psutil.Process(busy.pid)]))
            until(lambda: not is_starved([psutil.Process(asleep.pid)]))  # on a busy machine it takes a while to begin
            psutil.Process(busy.pid).suspend()
            until(lambda: not is_starved([psutil.Process(busy.pid)]))
        finally:
            for process in (busy, asleep):
                process.kill()
    assert not is_starved([])
