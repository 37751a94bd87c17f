"""A PostgreSQL and a Redis of a rehearsal's own: on free ports of the loopback, in a folder that goes with them. They die with
the thread that started them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from rushes.chaos.member import DYING, free_port, until

PATIENCE = 30.0
"""Seconds within which a server has to answer."""


class Server(Protocol):
    """One that can be hurt."""

    def start(self) -> None:
        """Returns when it answers."""
        ...

    def stop(self) -> None:
        """In order."""
        ...

    def kill(self) -> None:
        """As a power cut would."""
        ...


class Broker(Server, Protocol):
    def flush(self) -> None:
        """Forget all."""
        ...


class _Process:
    """A server's process, killed with whoever started it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def _launch(self, command: list[str], answers: Callable[[], bool]) -> None:
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        until(answers, f"the server of {self._folder}", PATIENCE)

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None


class RedisServer(_Process):
    """Without a password: it listens to this machine alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        import redis  # deferred: it needs an extra

        self._client = redis.Redis(port=self.port, socket_timeout=5)
        self._trouble = redis.RedisError
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0?namespace=rehearsal"

    def start(self) -> None:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        self._launch([*DYING, "KILL", *command, "--appendonly", "yes", "--save", ""], self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except self._trouble:
            return False

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def flush(self) -> None:
        self._client.flushall()
        self._client.script_flush()


class PostgresServer(_Process):
    """With fsync. It refuses to run as root, so it runs as somebody else then."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._programs = programs()
        self._user = _somebody() if os.geteuid() == 0 else None
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        data = folder / "data"
        made = self._command("initdb", "-D", str(data), "-U", "rushes", "--auth=trust", "-E", "UTF8")
        subprocess.run(made, check=True, capture_output=True, cwd=folder)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
            file.write("shared_buffers = '64MB'\n")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://rushes:unused@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._launch(self._command("postgres", "-D", str(self._folder / "data")), self._answers)

    def _answers(self) -> bool:
        import psycopg  # deferred: it needs an extra

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """At once, but in order: those who are connected are told."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """With all its processes."""
        if self._process:
            task = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            children = [int(one) for one in task.read_text(encoding="ascii").split()]
            self._end(signal.SIGKILL)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            until(lambda: not any(map(_lives, children)), "the end of the database's processes", PATIENCE)

    def _command(self, program: str, *arguments: str) -> list[str]:
        who = []
        if self._user:
            who = ["--reuid", str(self._user.pw_uid), "--regid", str(self._user.pw_gid), "--clear-groups"]
        return [DYING[0], *who, DYING[1], "QUIT", str(self._programs / program), *arguments]


def programs() -> Path:
    """The folder of the newest PostgreSQL here. Raises FileNotFoundError."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    elsewhere = shutil.which("postgres")
    if not found and not elsewhere:
        raise FileNotFoundError("There is no PostgreSQL on this machine.")
    return (found[-1] if found else Path(str(elsewhere)).resolve()).parent


def missing() -> list[str]:
    """What a rehearsal needs and is not here; nobody has to install it but for that."""
    needed = {name: bool(shutil.which(name)) for name in ("redis-server", "setpriv")}
    needed["the extra `fleet`"] = bool(find_spec("psycopg") and find_spec("dramatiq"))
    try:
        programs()
    except FileNotFoundError:
        needed["PostgreSQL"] = False
    return [name for name, there in needed.items() if not there]


def _somebody() -> pwd.struct_passwd:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
