"""Who belongs to a process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from rushes.clock import pause
from rushes.ffmpeg.family import family
from tests.services.children import name_of

NESTED = """
import subprocess, threading
def start(): subprocess.Popen(["sleep", "60"]).wait()
for _ in range(2): threading.Thread(target=start).start()
"""


def test_children_of_children_and_of_threads() -> None:
    process = subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{NESTED}'; true"], start_new_session=True)
    try:
        for _ in range(200):
            names = sorted(name_of(member) for member in family(process.pid))
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


def test_those_that_end_while_they_are_looked_at_are_left_out() -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            subprocess.run(["sh", "-c", "true & true & wait"], check=True)

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        # Looked at a few hundred times, while processes come and go
        found = [family(os.getpid())[0].pid for _ in range(300)]
    finally:
        stop.set()
        churning.join()
    assert set(found) == {os.getpid()}
