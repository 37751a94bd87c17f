"""Checks of everything the machine needs, each with the remedy. They look and change nothing that stays."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import psutil

from rushes.catalog.database import REMEDIES, UNREACHABLE, DatabaseUnavailable, migrations
from rushes.catalog.open import database_path, is_shared, open_database
from rushes.clock import Clock, SystemClock
from rushes.settings import Settings
from rushes.workers.scratch import nearest

OLDEST_PYTHON = (3, 11)
PATIENCE = 60.0
"""Seconds by which clocks may differ without harm."""


@dataclass(frozen=True)
class Check:
    """One finding. What is optional and missing is `ok`, and the detail says what will not be done."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def checks(settings: Settings, *, port: int = 8000, clock: Clock | None = None) -> list[Check]:
    """All checks, in the order in which a missing part matters. Never raises: what goes wrong is a failed check."""
    from rushes.workers import edgecheck, fleetcheck, graphcheck  # deferred: they need this module

    clock = clock or SystemClock()
    everything: list[tuple[str, Callable[[], Check]]] = [
        ("python", python),
        ("data directory", lambda: data_directory(settings)),
        ("disk space", lambda: disk_space(settings)),
        ("database", lambda: database(settings)),
        ("releases", lambda: graphcheck.releases(settings)),
        ("history", lambda: graphcheck.past(settings, clock)),
        *fleetcheck.all_checks(settings),
        ("caches", lambda: edgecheck.purge(settings)),
        ("memory watchdog", lambda: memory(settings)),
        ("clock", lambda: clock_sanity(settings, clock)),
        ("port", lambda: port_free(settings, port)),
        *_tool_checks(settings),
    ]
    return [guarded(name, check) for name, check in everything]


def _tool_checks(settings: Settings) -> list[tuple[str, Callable[[], Check]]]:
    """Of what works on media. The web side runs without it, and its image leaves it out."""
    if find_spec("av") is None:
        detail = "none here: this can be a web server, and no worker"
        return [("media tools", lambda: Check("media tools", True, detail))]
    from rushes.workers import toolcheck  # deferred: it needs this module, and loads the detectors

    return toolcheck.all_checks(settings)


def guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - the doctor reports whatever is broken and goes on to the next part
        return Check(name, False, f"{type(error).__name__}: {error}", "See the message; the part cannot be used.")


def python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", sys.version_info >= OLDEST_PYTHON, version, "Install Python 3.11 or newer.")


def data_directory(settings: Settings) -> Check:
    """Writable; and objects, uploads and scratch on one file system, for files are renamed between them."""
    name, place = "data directory", nearest(settings.data)
    remedy = f"Give this user write access to {place}, or choose another --data."
    if not place.is_dir():
        return Check(name, False, f"{place} is not a directory", remedy)
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"rushes")
    except OSError as error:
        return Check(name, False, f"{place} cannot be written: {error.strerror}", remedy)
    parts = [place, *(nearest(settings.data / part) for part in ("objects", "uploads", "scratch"))]
    if len({part.stat().st_dev for part in parts}) > 1:
        remedy = "Keep objects, uploads and scratch on one file system: files are renamed from one to the other."
        return Check(name, False, f"the parts of {place} lie on several file systems", remedy)
    state = "" if settings.data.exists() else " (will be made)"
    return Check(name, True, f"{settings.data.absolute()}{state}")


def disk_space(settings: Settings) -> Check:
    free = shutil.disk_usage(nearest(settings.data)).free
    detail = f"{gigabytes(free)} free, {gigabytes(settings.min_free_bytes)} are kept free"
    return Check("disk space", free > settings.min_free_bytes, detail, "Free some space, or uploads get 507.")


def database(settings: Settings) -> Check:
    place = "PostgreSQL" if is_shared(settings.database) else str(database_path(settings.database))
    if not is_shared(settings.database) and not Path(place).exists():
        return Check("database", True, f"{place} (will be made)")
    newest = migrations()[-1][0]
    try:
        version = _written(settings.database)
    except DatabaseUnavailable as error:
        return Check("database", False, str(error), REMEDIES.get(error.code, REMEDIES[UNREACHABLE]))
    known = version in {name for name, _ in migrations()}
    remedy = "Run `rushes migrate`." if known or version is None else "A newer rushes made it: update this one."
    return Check("database", version == newest, f"{place} at {version or 'no version'}, newest is {newest}", remedy)


def _written(url: str) -> str | None:
    """The newest migration, of a database that was just asked to write what it holds already. Raises DatabaseUnavailable."""
    with contextlib.closing(open_database(url)) as found:
        version = found.version()
        if version is not None:
            with found.write() as tx:
                tx.execute("UPDATE migrations SET applied_at = applied_at")
        return version


def memory(settings: Settings) -> Check:
    """The watchdog adds up what a step's processes hold, from /proc."""
    name, remedy = "memory watchdog", "Mount /proc in this container; without it no step's memory can be watched."
    try:
        process = psutil.Process()
        held = process.memory_info().rss
        process.children(recursive=True)
    except (psutil.Error, OSError) as error:
        return Check(name, False, f"/proc cannot be read: {error}", remedy)
    total = psutil.virtual_memory().total
    detail = f"a step may hold {gigabytes(settings.step_memory)} of the machine's {gigabytes(total)}"
    return Check(name, held > 0, detail, remedy)


def clock_sanity(settings: Settings, clock: Clock) -> Check:
    """Times that the machine has already seen must not lie in the future."""
    files = [Path(__file__), *([] if is_shared(settings.database) else [database_path(settings.database)])]
    newest = max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
    behind = newest - clock.now()
    if behind > PATIENCE:
        return Check("clock", False, f"files are {behind:.0f} s newer than the clock", "Set the clock (NTP).")
    return Check("clock", True, "not behind the newest file known")


def port_free(settings: Settings, port: int, host: str = "127.0.0.1") -> Check:
    """Free, or taken by the stack that already runs on this data directory, or by a server of this fleet."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if running(settings.data) or answers(host, port):
                return Check("port", True, f"{port} is taken by a rushes that is running")
            return Check("port", False, f"{port}: {error.strerror}", "Choose another one with --port.")
    return Check("port", True, f"{port} is free")


def answers(host: str, port: int) -> bool:
    """Whether a server of ours is behind this port."""
    try:
        found = httpx.get(f"http://{host}:{port}/healthz", timeout=2.0)
    except httpx.HTTPError:
        return False
    return found.status_code == 200 and found.text == '{"status":"ok"}'


def running(data: Path) -> bool:
    """Whether a stack holds the data directory (it keeps `lock` locked)."""
    try:
        handle = os.open(data / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
