"""A private PostgreSQL on a free loopback port, with its data in a folder of its own.

It may be stopped, killed and started again: port and data stay the same. It dies with the process that started it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import psycopg

from rushes.catalog.postgres import PostgresDatabase
from rushes.chaos.member import free_port
from rushes.clock import SystemClock, pause

PATIENCE = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}


def binaries() -> Path | None:
    """The folder of the newest server on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("postgres")
    return Path(elsewhere).resolve().parent if elsewhere else None


class Postgres:
    def __init__(self, folder: Path, programs: Path, *, durable: bool = False) -> None:
        """`durable`: with fsync, as in earnest. A server refuses to run as root, so it runs as somebody else then."""
        self._folder, self._programs = folder, programs
        self.data = folder / "data"
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _somebody() if os.geteuid() == 0 else None
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "rushes", "--auth=trust", "--no-sync", "-E", "UTF8")
        settings = dict(SETTINGS)
        if not durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        self.port = free_port()
        settings["port"] = str(self.port)
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    # -- up and down --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when it takes connections."""
        command = self._command("postgres", "-D", str(self.data))
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder
            )
        clock = SystemClock()
        deadline = clock.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or clock.monotonic() > deadline:
                    text = (self._folder / "log.txt").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL did not start:\n{text}") from error
            pause(0.02)

    def stop(self) -> None:
        """At once, but in order: those who are connected are told (57P01)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """kill -9 of the server and all its processes: what a power cut leaves behind, but for the disk's cache."""
        assert self._process
        children = (
            Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="ascii").split()
        )
        self._end(signal.SIGKILL)
        for child in map(int, children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        clock = SystemClock()
        deadline = clock.monotonic() + PATIENCE
        while any(Path(f"/proc/{child}").exists() and _is_alive(child) for child in children):
            assert clock.monotonic() < deadline, "the server's processes did not die"
            pause(0.01)

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    # -- databases ----------------------------------------------------------------------------------------------------

    def url(self, database: str) -> str:
        return f"postgresql://rushes:unused@127.0.0.1:{self.port}/{database}"

    def empty(self, how: str = "") -> str:
        """A fresh database without any table, made with these options of CREATE DATABASE; gives its URL."""
        return self._create(f" {how}")

    def fresh(self) -> str:
        """A fresh database with the newest schema; gives its URL."""
        return self._create(f" TEMPLATE {self._template}")

    def dump(self, url: str, path: Path) -> Path:
        """A backup of a database, as an operator makes it."""
        with path.open("wb") as file:
            subprocess.run([str(self._programs / "pg_dump"), "-Fc", url], stdout=file, check=True)
        return path

    def restore(self, backup: Path) -> str:
        """The backup as a new database; gives its URL."""
        url = self.empty()
        subprocess.run([str(self._programs / "pg_restore"), "-d", url, "--no-owner", str(backup)], check=True)
        return url

    def drop(self, url: str) -> None:
        self._tell(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def _create(self, how: str) -> str:
        name = f"test_{next(self._numbers)}"
        self._tell(f"CREATE DATABASE {name}{how}")
        return self.url(name)

    @cached_property
    def _template(self) -> str:
        self._tell("CREATE DATABASE migrated")
        database = PostgresDatabase(self.url("migrated"))
        database.migrate()
        database.close()
        return "migrated"

    def _tell(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    # -- processes ----------------------------------------------------------------------------------------------------

    def _command(self, program: str, *arguments: str) -> list[str]:
        who = []
        if self._user:
            who = ["--reuid", str(self._user.pw_uid), "--regid", str(self._user.pw_gid), "--clear-groups"]
        return ["setpriv", *who, "--pdeathsig", "QUIT", str(self._programs / program), *arguments]

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(self._command(program, *arguments), capture_output=True, cwd=self._folder)
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")


@contextlib.contextmanager
def running_postgres(programs: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """Its folder lies directly below the system's temporary one: pytest's own is closed to other users."""
    folder = Path(tempfile.mkdtemp(prefix="rushes-postgres-"))
    server = None
    try:
        server = Postgres(folder, programs, durable=durable)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _somebody() -> pwd.struct_passwd:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
