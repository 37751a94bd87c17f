"""Who belongs to a process."""

from __future__ import annotations

import os
import subprocess
import sys

from rushes.clock import pause
from rushes.ffmpeg.family import family

NESTED = """
import subprocess, threading
def start(): subprocess.Popen(["sleep", "60"]).wait()
for _ in range(2): threading.Thread(target=start).start()
"""


def test_children_of_children_and_of_threads() -> None:
    process = subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{NESTED}'; true"], start_new_session=True)
    try:
        for _ in range(200):
            names = sorted(member.name() for member in family(process.pid))
            if names.count("sleep") == 2:
                break
            pause(0.05)
        assert names.count("sleep") == 2
        assert family(process.pid)[0].pid == process.pid
        assert len(names) == 4
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_of_one_that_is_gone() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert family(process.pid) == []
