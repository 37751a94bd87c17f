"""The sandboxes, from inside: a program that tries to get out, in each mode that works on this machine."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from rushes.errors import StepFailure
from rushes.ffmpeg import sandbox
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.confinement import Confinement, Mode
from rushes.ffmpeg.process import Process
from rushes.ffmpeg.sandbox import confine, detect, minimal_environment, python_libraries, works
from tests.services.attacks import Listener
from tests.services.children import name_of

TIGHT = [Mode.BWRAP, Mode.LANDLOCK]
NOBODY = 65534


@pytest.fixture(params=TIGHT)
def mode(request) -> Mode:
    found: Mode = request.param
    if not works(found):
        pytest.skip(f"{found} does not work on this machine")
    return found


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.close()


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition that comes about elsewhere."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        pause.wait(0.01)


def inside(mode: Mode, code: str, confinement: Confinement) -> tuple[int, str]:
    """Run Python code in the sandbox; exit code and standard output."""
    shut = Confinement(confinement.reads, confinement.writes, python_libraries())
    command = confine(mode, shut, [sys.executable, "-I", "-B", "-c", code])
    with Process(command, minimal_environment(mode, shut)) as process:
        out = os.fdopen(os.dup(process.stdout), "rb").read().decode()
        err = os.fdopen(os.dup(process.stderr), "rb").read().decode()
        assert process.wait(20)
        return process.returncode or 0, out + err


ESCAPES = {
    "sibling": "open({canary!r}).read()",
    "passwd": "open('/etc/passwd').read()",
    "parent": "import os; os.listdir({folder!r}).index('canary')",
    "tcp": "import socket; socket.create_connection(('127.0.0.1', {port}), 2)",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
    "packet": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "write": "open({folder!r} + '/new', 'w')",
    "write_input": "open({clip!r}, 'r+').write('x')",
    "environ": "open('/proc/{pid}/environ').read()",
    "kill": "import os; os.kill({pid}, 0)",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_gets_out(name: str, mode: Mode, tmp_path: Path, listener: Listener) -> None:
    # Given one file that may be read, and beside it one that may not
    clip, canary = tmp_path / "clip", tmp_path / "canary"
    clip.write_text("the clip")
    canary.write_text("CANARY-1f3a")
    code = ESCAPES[name].format(
        canary=str(canary), folder=str(tmp_path), clip=str(clip), port=listener.port, pid=os.getpid()
    )
    # When a program tries, and would say so if it had done it
    status, said = inside(mode, f"{code}\nprint('GOT ' + 'OUT')", Confinement(reads=(clip,)))
    # Then it is stopped by an error of the system
    if name == "udp" and mode is Mode.BWRAP:
        assert not listener.reached()  # it has a loopback of its own, where nobody listens
        return
    if name == "kill" and mode is Mode.LANDLOCK and "GOT OUT" in said:
        pytest.skip("signals are scoped by Landlock from ABI 6 (Linux 6.12) on")
    assert status != 0
    assert "GOT OUT" not in said
    assert "CANARY-1f3a" not in said
    assert not listener.reached()
    assert clip.read_text() == "the clip"


def test_the_same_programs_get_out_without_a_sandbox(tmp_path: Path, listener: Listener) -> None:
    """Or the test above would prove nothing."""
    canary = tmp_path / "canary"
    canary.write_text("CANARY-1f3a")
    for name in ("sibling", "tcp", "udp", "write", "passwd", "kill"):
        code = ESCAPES[name].format(canary=str(canary), folder=str(tmp_path), port=listener.port, pid=os.getpid())
        status, said = inside(Mode.OFF, f"{code}\nprint('GOT ' + 'OUT')", Confinement(reads=(), writes=tmp_path))
        assert (status, said.strip()) == (0, "GOT OUT"), name


def test_what_is_allowed_works(mode: Mode, tmp_path: Path) -> None:
    clip, scratch = tmp_path / "in" / "clip", tmp_path / "out"
    clip.parent.mkdir()
    scratch.mkdir()
    clip.write_text("the clip")
    code = (
        f"import os; text = open({str(clip)!r}).read(); open({str(scratch / 'copy')!r}, 'w').write(text);"
        f"os.rename({str(scratch / 'copy')!r}, {str(scratch / 'final')!r}); print(os.environ['TMPDIR'])"
    )
    status, said = inside(mode, code, Confinement(reads=(clip,), writes=scratch))
    assert (status, said.strip()) == (0, str(scratch))
    assert (scratch / "final").read_text() == "the clip"


def test_a_directory_of_inputs_is_read_only(mode: Mode, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    read = f"print(open({str(tmp_path / 'a')!r}).read())"
    assert inside(mode, read, Confinement(reads=(tmp_path,))) == (0, "a\n")
    status, _ = inside(mode, f"open({str(tmp_path / 'b')!r}, 'w')", Confinement(reads=(tmp_path,)))
    assert status != 0
    assert not (tmp_path / "b").exists()


def test_rlimits_alone_still_keep_off_the_network(listener: Listener) -> None:
    if not works(Mode.RLIMITS):
        pytest.skip("no seccomp here")
    code = f"import socket; socket.create_connection(('127.0.0.1', {listener.port}), 2)"
    status, said = inside(Mode.RLIMITS, code, Confinement(reads=()))
    assert status != 0
    assert "PermissionError" in said
    assert not listener.reached()


def test_the_strange_doors_to_a_socket_are_shut_too() -> None:
    """io_uring opens sockets without the socket call."""
    if not works(Mode.LANDLOCK):
        pytest.skip("no Landlock here")
    code = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True);"
        "print(libc.syscall(425, 8, ctypes.create_string_buffer(256)), ctypes.get_errno())"
    )
    assert inside(Mode.LANDLOCK, code, Confinement(reads=()))[1].split() == ["-1", "1"]


@pytest.mark.parametrize("mode", [*TIGHT, Mode.RLIMITS, Mode.OFF])
def test_a_tool_ends_with_the_one_who_started_it(mode: Mode) -> None:
    if not works(mode):
        pytest.skip(f"{mode} does not work on this machine")
    # Given a thread that starts a tool and ends without waiting for it
    sleep = shutil.which("sleep", path="/usr/bin:/bin")
    assert sleep
    started: list[Process] = []

    def start() -> None:
        shut = Confinement(reads=(), libraries=(Path(sleep),))
        process = Process(confine(mode, shut, [sleep, "60"]), minimal_environment(mode), quiet=True)
        started.append(process)
        until(lambda: any(name_of(member) == "sleep" for member in process.tree()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    # Then the kernel ends the tool with the thread
    with started[0] as process:
        assert process.wait(10), f"{psutil.Process(process.pid).cmdline()} outlived the thread that started it"


def test_detect_knows_the_modes_by_name() -> None:
    assert detect("off") is Mode.OFF
    for mode in TIGHT:
        if works(mode):
            assert detect(mode.value) is mode
    if any(works(mode) for mode in TIGHT):
        assert detect("required").hides_files
        assert detect("preferred") is detect("required")


def test_a_required_sandbox_that_is_not_there_is_a_clear_error(monkeypatch) -> None:
    monkeypatch.setattr(sandbox, "works", lambda mode: mode is Mode.RLIMITS)
    with pytest.raises(StepFailure, match="Install bubblewrap"):
        detect.__wrapped__("required")
    assert detect.__wrapped__("preferred") is Mode.RLIMITS


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anyone may read: every folder above a `tmp_path` is its owner's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_it_works_for_a_user_without_rights(mode: Mode, open_folder: Path) -> None:
    """As nobody: the binary and, for the launcher, the system's Python, since a private venv is not readable then."""
    python = "/usr/bin/python3"
    if os.getuid() != 0 or not Path(python).exists() or shutil.which("setpriv") is None:
        pytest.skip("needs root (to become nobody), setpriv and the system's Python")
    binary = open_folder / "ffmpeg"
    shutil.copy(find_binary(), binary)
    shutil.copy(Path(sandbox.__file__).with_name("jail.py"), open_folder / "jail.py")
    command = confine(mode, Confinement(reads=(), libraries=(binary,)), [str(binary), "-version"])
    if mode is Mode.LANDLOCK:
        command[0] = python
        command[3] = str(open_folder / "jail.py")
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    with Process([*drop, *command], minimal_environment(mode)) as process:
        said = os.fdopen(os.dup(process.stdout), "rb").read()
        complaint = os.fdopen(os.dup(process.stderr), "rb").read()
        assert process.wait(20)
    assert process.returncode == 0, complaint
    assert said.startswith(b"ffmpeg version")
