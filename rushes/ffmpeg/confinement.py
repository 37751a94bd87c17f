"""The command lines of the sandboxes, as data. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Mode(StrEnum):
    """How a tool is shut in, best first."""

    BWRAP = "bwrap"
    """Own namespaces: sees only what it is given; no network, no other process."""
    LANDLOCK = "landlock"
    """Same view of the machine, but only the given files open; no sockets."""
    RLIMITS = "rlimits"
    """No sockets and resource limits; files of the same user can be read."""
    OFF = "off"
    """Only ends with its parent."""

    @property
    def hides_files(self) -> bool:
        return self in (Mode.BWRAP, Mode.LANDLOCK)


@dataclass(frozen=True)
class Confinement:
    """What a tool may touch. Paths are absolute and the same inside as outside."""

    reads: tuple[Path, ...]
    writes: Path | None = None
    libraries: tuple[Path, ...] = ()
    """The binary and all it loads."""
    devices: tuple[Path, ...] = field(default=(Path("/dev/null"), Path("/dev/urandom")))


_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib", "/lib", "/lib64")
"""Where a dynamic loader looks. No `/etc` but its cache and Debian's alternatives (BLAS), no `/usr/share`."""
_LOADER = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives")
_FACTS = ("/proc/cpuinfo", "/sys/devices/system/cpu")
"""How many cores of which kind: thread pools size themselves by it."""
_FILE_BYTES = 64 * 1024**3
_OPEN_FILES = 1024


def limits(confinement: Confinement) -> dict[str, int]:
    """Resource limits by the names of resource.RLIMIT_*.

    No AS (encoders reserve far more than they touch, and a refused reservation hung one) and no NPROC (it counts the
    user's processes on the whole machine): the door's watchdog does both jobs.
    """
    return {"CORE": 0, "FSIZE": _FILE_BYTES if confinement.writes else 0, "NOFILE": _OPEN_FILES}


def environment(mode: Mode, confinement: Confinement) -> dict[str, str]:
    """All a tool gets of an environment: no credentials, no proxies, no library paths."""
    scratch = str(confinement.writes or "/nonexistent")
    variables = {"LANG": "C.UTF-8", "HOME": scratch, "TMPDIR": scratch, "PATH": "/usr/bin:/bin", "TZ": "UTC"}
    return {**variables, "RUSHES_JAIL": mode.value}


def bwrap_command(bwrap: str, confinement: Confinement, prlimit: str | None = None) -> list[str]:
    """bubblewrap: an empty root, read-only, with the named files in it. No /proc, no /etc/passwd, no loopback route, no terminal
    (`process.Process` starts every tool without one)."""
    command = [bwrap, "--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment(Mode.BWRAP, confinement).items():
        command += ["--setenv", name, value]
    for name in (*_SYSTEM, *_LOADER, *_FACTS):
        command += ["--ro-bind-try", name, name]
    for device in confinement.devices:
        command += ["--dev-bind-try", str(device), str(device)]
    for path in (*confinement.libraries, *confinement.reads):
        command += ["--ro-bind", str(path), str(path)]
    if confinement.writes:
        command += ["--bind", str(confinement.writes), str(confinement.writes)]
    command += ["--remount-ro", "/", "--chdir", str(confinement.writes or "/"), "--"]
    return [*_prlimit(prlimit, confinement), *command]


def jail_command(mode: Mode, python: str, parent: int, confinement: Confinement) -> list[str]:
    """Our own launcher, `jail.py`, with its plan as JSON."""
    reads = [*_SYSTEM, *_LOADER, *_FACTS, *map(str, (*confinement.libraries, *confinement.reads))]
    writes = [*map(str, confinement.devices)] + ([str(confinement.writes)] if confinement.writes else [])
    plan = {
        "parent": parent,
        "confine": mode is not Mode.OFF,
        "landlock": mode is Mode.LANDLOCK,
        "limits": limits(confinement),
        "reads": reads,
        "writes": writes,
    }
    jail = Path(__file__).with_name("jail.py")
    return [python, "-I", "-S", str(jail), json.dumps(plan, separators=(",", ":")), "--"]


def _prlimit(prlimit: str | None, confinement: Confinement) -> list[str]:
    """util-linux's `prlimit`, which costs one millisecond and is on every Debian; bubblewrap sets no limits itself."""
    if prlimit is None:
        return []
    return [prlimit, *(f"--{name.lower()}={value}" for name, value in limits(confinement).items()), "--"]
