"""What runs below a test."""

from __future__ import annotations

from pathlib import Path

import psutil


def descendants(name: str = "", *, zombies: bool = False) -> list[psutil.Process]:
    """Processes below this one whose command has `name` in it; without the servers, which outlive a test, and what is
    below those. `zombies`: also those that have ended and that nobody has waited for."""
    found: list[psutil.Process] = []
    _gather(psutil.Process(), name, found, zombies=zombies)
    return found


def _gather(parent: psutil.Process, name: str, found: list[psutil.Process], *, zombies: bool) -> None:
    for process in parent.children():
        try:
            dead = process.status() == psutil.STATUS_ZOMBIE
            command = [] if dead else process.cmdline()
            if _is_server(command):
                continue
            if (zombies or not dead) and name in " ".join(command):
                found.append(process)
            _gather(process, name, found, zombies=zombies)
        except psutil.NoSuchProcess:
            continue


def _is_server(command: list[str]) -> bool:
    program = Path(command[0]).name if command else ""
    return program.startswith(("postgres", "redis-server")) or any(it.startswith("tests.services.") for it in command)
