"""Node, with the packages that the tests use: the reference client and server of tus, Uppy, a bundler."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

NODE = Path(__file__).parents[1] / "integration" / "node"


class NodeMissing(RuntimeError):
    """There is no Node, or no npm."""


def installed() -> str:
    """The command. The packages lie beside their scripts, in the versions of `package-lock.json`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NodeMissing("Node with npm")
    lock, done = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # of several test processes one installs, the others wait
        if not done.is_file() or done.stat().st_mtime < lock.stat().st_mtime:
            subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True)
    return node
