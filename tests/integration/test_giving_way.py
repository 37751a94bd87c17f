"""Work that gives way does so with its whole session, and so do the tools that it starts in sessions of their own."""

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


def test_a_tool_in_a_session_of_its_own_gives_way_too() -> None:
    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this kernel does not group tasks by session")
    watch = (
        "import os, sys, time; from rushes.ffmpeg.giving_way import give_way; from rushes.ffmpeg.process import Process;"
        "from rushes.ffmpeg.watchdog import Watchdog; from rushes.engine.job import Limits; from pathlib import Path;"
        "give_way(10); tool = Process(['sleep', '60'], {'PATH': '/usr/bin:/bin'}, quiet=True);"
        "dog = Watchdog(tool, Limits(), expects_progress=False);"
        "group = Path(f'/proc/{tool.pid}/autogroup');\n"
        "while not group.read_text().endswith('nice 10\\n'): dog.look(); time.sleep(0.05)\n"
        "tool.kill(); print('it did')"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch], capture_output=True, text=True, timeout=30, start_new_session=True
    )
    assert done.stdout == "it did\n", done.stderr


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
