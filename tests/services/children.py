"""What runs below a test."""

from __future__ import annotations

from pathlib import Path

import psutil


def descendants(name: str = "") -> list[psutil.Process]:
    """Processes below this one whose command has `name` in it; without the servers, which outlive a test."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue
        if alive and name in " ".join(command) and not _is_server(command):
            found.append(process)
    return found


def _is_server(command: list[str]) -> bool:
    program = Path(command[0]).name if command else ""
    return program.startswith(("postgres", "redis-server")) or any(it.startswith("tests.services.") for it in command)
