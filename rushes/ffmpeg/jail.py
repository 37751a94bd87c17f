"""Launcher for machines without bubblewrap: limits itself, then becomes the tool.

Run as `python -I -S jail.py JSON -- COMMAND...`. It stands alone (imports nothing of ours), so that it starts in ten
milliseconds. Order matters: no new privileges, resource limits, Landlock (no file but the named ones), seccomp (no
socket, no io_uring, no leaving the process group), then execve. A step that cannot be done ends with exit code 125.

Sources: landlock(7) and linux/landlock.h; seccomp(2); prctl(2); linux/audit.h.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from typing import Any

REFUSED = 125
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # equal on all architectures
_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read file, read directory
_FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # what a rule on a file (not a directory) may name
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16, 6: 16}  # how many access rights each ABI knows

# By machine: audit architecture; socket, io_uring_setup, ptrace, process_vm_readv, process_vm_writev, setsid, setpgid.
_SYSCALLS = {
    "x86_64": (0xC000003E, (41, 425, 101, 310, 311, 112, 109)),
    "aarch64": (0xC00000B7, (198, 425, 117, 270, 271, 157, 154)),
}


def main(arguments: list[str]) -> None:
    plan: dict[str, Any] = json.loads(arguments[0])
    command = arguments[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    _die_with_parent(libc, plan["parent"])
    _limit(plan["limits"])
    if plan["confine"]:
        _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    if plan["landlock"]:
        _landlock(libc, plan["reads"], plan["writes"])
    if plan["confine"]:
        _seccomp(libc)
    os.execve(command[0], command, dict(os.environ))  # noqa: S606 - becoming the tool is this program's purpose


def _check(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _die_with_parent(libc: ctypes.CDLL, parent: int) -> None:
    """SIGKILL when the spawning thread ends; and at once if it ended before we asked."""
    _check(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
    if os.getppid() != parent:
        raise SystemExit(REFUSED)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _landlock(libc: ctypes.CDLL, reads: list[str], writes: list[str]) -> None:
    abi = _check(libc.syscall(_LANDLOCK_CREATE, None, 0, 1), "landlock")
    handled = (1 << _FS_BITS.get(abi, 16)) - 1
    net = 3 if abi >= 4 else 0  # bind and connect of TCP
    scoped = 3 if abi >= 6 else 0  # abstract unix sockets, signals to others
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    attributes = struct.pack("=QQQ", handled, net, scoped)[:size]
    ruleset = _check(libc.syscall(_LANDLOCK_CREATE, attributes, size, 0), "landlock ruleset")
    for path in reads:
        _allow(libc, ruleset, path, _READ & handled)
    for path in writes:
        _allow(libc, ruleset, path, handled & ~1)  # everything but execute
    _check(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock restrict")
    os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):  # noqa: PTH112 - this program starts faster without pathlib
        access &= _FILE_ONLY
    rule = struct.pack("=Qi", access, descriptor)
    _check(libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock rule for {path}")
    os.close(descriptor)


def _seccomp(libc: ctypes.CDLL) -> None:
    """Classic BPF over struct seccomp_data: number at 0, architecture at 4."""
    machine = platform.machine()
    if machine not in _SYSCALLS:
        raise OSError(f"no system call table for {machine}")
    architecture, denied = _SYSCALLS[machine]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x00050001  # ERRNO(EPERM)
    code = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill), (load, 0, 0, 0)]
    if machine == "x86_64":  # the x32 numbers are other doors to the same calls
        code += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]
    for number in denied:
        code += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    code.append((give, 0, 0, allow))
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    header = struct.pack("@HP", len(code), ctypes.addressof(program))
    _check(libc.prctl(_PR_SET_SECCOMP, 2, ctypes.c_char_p(header), 0, 0), "seccomp")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.stderr.write(f"jail: {error}\n")
        raise SystemExit(REFUSED) from error
