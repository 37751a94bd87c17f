"""What runs below a test."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil


def alive(process: psutil.Process) -> bool:
    """It runs, now: it may end between any two looks at it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if alive(process)]


def name_of(process: psutil.Process) -> str:
    """Empty when it has ended."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def command_of(process: psutil.Process) -> str:
    """Empty when it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def descendants(name: str = "", *, zombies: bool = False, direct: bool = False) -> list[psutil.Process]:
    """Processes below this one whose command has `name` in it; without the servers, which outlive a test, and what is
    below those. `zombies`: also those that have ended and that nobody has waited for. `direct`: only its own children."""
    found: list[psutil.Process] = []
    _gather(psutil.Process(), name, found, zombies=zombies, deep=not direct)
    return found


def _gather(parent: psutil.Process, name: str, found: list[psutil.Process], *, zombies: bool, deep: bool) -> None:
    for process in parent.children():
        try:
            dead = process.status() == psutil.STATUS_ZOMBIE
            command = [] if dead else process.cmdline()
            if _is_server(command):
                continue
            if (zombies or not dead) and name in " ".join(command):
                found.append(process)
            if deep:
                _gather(process, name, found, zombies=zombies, deep=deep)
        except psutil.NoSuchProcess:
            continue


def _is_server(command: list[str]) -> bool:
    program = Path(command[0]).name if command else ""
    return program.startswith(("postgres", "redis-server")) or any(it.startswith("tests.services.") for it in command)
