"""Uploads beside the tus project's own server (`@tus/server` with `@tus/file-store`), in turns, in one run.

Each row: throughput, CPU seconds of the server's processes per GB (10^9 bytes), and memory above the idle server. Ratios
are medians over the rounds of what was measured next to each other. rushes runs twice: with `RUSHES_UPLOAD_SYNC=never`, which
promises what the peer does (its store does not fsync), and with `commit`, the default. Nothing is hashed on either side.
`python -m bench.ingest [ROUNDS] [ROW...]`
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rushes.chaos.member import free_port
from tests.services.swift import Swift, home

ROUNDS = 5
MIB = 2**20
NODE = Path(__file__).resolve().parents[1] / "tests" / "integration" / "node"
WHOLE = 512 * MIB
SLOW = {"count": 1000, "piece": 4096, "every": 0.5, "seconds": 10.0}
WARM = {"count": 40, "size": 1000, "connections": 4}
SMALL = {"count": 800, "size": 10_000, "connections": 8}


@dataclass(frozen=True)
class Row:
    name: str
    action: str
    options: dict[str, Any]
    bytes: int


ROWS = (
    Row("whole 512 MiB", "bulk", {"size": WHOLE, "chunk": WHOLE, "count": 1}, WHOLE),
    Row("8 MiB chunks", "bulk", {"size": WHOLE, "chunk": 8 * MIB, "count": 1}, WHOLE),
    Row("8 x 128 MiB", "bulk", {"size": 128 * MIB, "chunk": 128 * MIB, "count": 8}, 8 * 128 * MIB),
    Row("creations of 10 kB", "small", SMALL, SMALL["count"] * SMALL["size"]),
)


@dataclass
class Server:
    """One of those compared: its process, where it keeps files, and what was measured of it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    files: Path
    idle: int = 0
    """Resident bytes after some small uploads."""
    seen: dict[str, list[Measure]] = field(default_factory=dict)

    def cpu(self) -> float:
        """Seconds of all its threads, to the nanosecond (clock_getcpuclockid(3): the clock of another process)."""
        return time.clock_gettime(((~self.process.pid) << 3) | 2)

    def memory(self, key: str = "VmRSS") -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"the kernel does not tell {key}")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")

    def clean(self) -> None:
        """Away with the bytes of uploaded files, before the kernel writes them to the disk during somebody else's turn.

        Their names stay: ext4 does not give an inode away again for minutes, and whoever creates a file steps over each
        that was freed. After a few thousand deletions that was most of what a creation cost, for every server.
        """
        for path in self.files.rglob("*"):
            if path.is_file():
                os.truncate(path, 0)


@dataclass(frozen=True)
class Measure:
    seconds: float
    cpu: float
    memory: int
    store: float = 0.0
    """CPU seconds of the object store."""


def main(rounds: int = ROUNDS, words: Sequence[str] = ()) -> None:
    """`words`: of the names of rows, or `slow` or `s3`. None: all."""
    chosen = [row for row in ROWS if not words or any(word in row.name for word in words)]
    wanted = {"slow", "s3"} & set(words) if words else {"slow", "s3"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        source.write_bytes(os.urandom(MIB) * (WHOLE // MIB))
        if chosen:
            with _servers(folder / "rows") as servers:
                print(f"ingest: medians of {rounds} rounds, in turns; the peer is {servers[-1].name}")
                for row in chosen:
                    _measure(row, servers, source, rounds)
                    _report(row, servers)
        if "slow" in wanted:
            with _servers(folder / "slow") as servers:
                _slow(servers)
        if "s3" in wanted:
            _s3(folder, source, rounds)


@contextmanager
def _servers(folder: Path) -> Iterator[list[Server]]:
    """rushes without and with fsync, and the peer last."""
    folder.mkdir()
    with ExitStack() as stack:
        servers = [stack.enter_context(_rushes(folder / sync, sync)) for sync in ("never", "commit")]
        servers.append(stack.enter_context(_peer(folder / "peer")))
        for server in servers:
            _client(server, "small", WARM)
            server.clean()
            server.idle = server.memory()
        yield servers


@contextmanager
def _rushes(folder: Path, sync: str, **more: str) -> Iterator[Server]:
    """The web side of the embedded stack, as `rushes up` starts it; what is uploaded is not worked on."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")}
    environment |= {"RUSHES_DATA": str(folder), "RUSHES_CONFIG": os.devnull, "RUSHES_UPLOAD_SYNC": sync, **more}
    command = [sys.executable, "-m", "rushes.cli", "serve", "--port", str(port)]
    folder.mkdir()
    with (folder / "log").open("wb") as log, _process(command, log, environment) as process:
        _until(lambda: httpx.get(f"http://127.0.0.1:{port}/healthz").is_success)
        yield Server(f"rushes, sync={sync}", process, port, folder / "objects" / "sources")


@contextmanager
def _peer(folder: Path) -> Iterator[Server]:
    if not (NODE / "node_modules" / "@tus" / "server").is_dir():
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
        subprocess.run(command, cwd=NODE, check=True, stdout=subprocess.DEVNULL)
    folder.mkdir()
    port = free_port()
    command = ["node", str(NODE / "server.mjs"), str(port), str(folder / "files")]
    with (folder / "log").open("wb") as log, _process(command, log, None) as process:
        _until(lambda: httpx.options(f"http://127.0.0.1:{port}/files").status_code < 500)
        version = json.loads((NODE / "node_modules" / "@tus" / "server" / "package.json").read_text())["version"]
        yield Server(f"@tus/server {version}", process, port, folder / "files")


@contextmanager
def _process(command: Sequence[str], log: Any, environment: dict[str, str] | None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _pin(process.pid, first=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _pin(pid: int, *, first: bool) -> None:
    """Servers to one half of the cores and clients to the other, where there are enough."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) >= 4:
        half = len(cores) // 2
        os.sched_setaffinity(pid, cores[:half] if first else cores[half:])


def _until(works: Any) -> None:
    for _ in range(300):
        try:
            if works():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    sys.exit("a server did not start")


@contextmanager
def _running_client(server: Server, action: str, options: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.tus", str(server.port), action, json.dumps(options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        _pin(process.pid, first=False)
        yield process


def _client(server: Server, action: str, options: dict[str, Any]) -> dict[str, Any]:
    with _running_client(server, action, options) as process:
        told, _ = process.communicate()
    if process.returncode:
        sys.exit(f"the client failed against {server.name}")
    answer: dict[str, Any] = json.loads(told)
    return answer


def _measure(row: Row, servers: Sequence[Server], source: Path, rounds: int) -> None:
    options = {**row.options, "source": str(source)} if row.action == "bulk" else row.options
    for number in range(rounds + 1):
        for server in servers:
            server.forget_peak()
            before = server.cpu()
            seconds = _client(server, row.action, options)["seconds"]
            found = Measure(seconds, server.cpu() - before, server.memory("VmHWM") - server.idle)
            server.clean()
            if number:  # the first round warms up
                server.seen.setdefault(row.name, []).append(found)


def _report(row: Row, servers: Sequence[Server]) -> None:
    print(row.name)
    peer = servers[-1].seen[row.name]
    for server in servers:
        seen = server.seen[row.name]
        cpu = statistics.median(each.cpu for each in seen)
        seconds = statistics.median(each.seconds for each in seen)
        memory = max(each.memory for each in seen)
        ratio = statistics.median(theirs.cpu / ours.cpu for ours, theirs in zip(seen, peer, strict=True))
        if row.action == "small":
            rate = f"{row.options['count'] / seconds:6.0f} files/s  {1e3 * cpu / row.options['count']:6.2f} CPU-ms each"
        else:
            rate = f"{row.bytes / seconds / 1e6:6.0f} MB/s  {cpu / row.bytes * 1e9:6.3f} CPU-s/GB"
        print(
            f"  {server.name:<22} {rate}  {memory / 1e6:+6.1f} MB  {ratio:5.2f} x the peer's work per CPU-s", flush=True
        )


def _line(client: subprocess.Popen[str], server: Server) -> dict[str, Any]:
    assert client.stdout
    told: dict[str, Any] = json.loads(client.stdout.readline() or sys.exit(f"the client failed against {server.name}"))
    return told


def _slow(servers: Sequence[Server]) -> None:
    print(f"{SLOW['count']} slow uploads, {SLOW['piece']} bytes every {SLOW['every']} s each")
    for server in servers:
        server.clean()
        before = server.memory()
        with _running_client(server, "slow", SLOW) as client:
            _line(client, server)
            cpu, start = server.cpu(), time.perf_counter()
            told = _line(client, server)
            memory, cpu = server.memory() - before, (server.cpu() - cpu) / (time.perf_counter() - start)
            client.communicate("end\n")
        heads = sorted(told["heads"])
        print(
            f"  {server.name:<22} {told['under_way']} under way  HEAD p50 {1e3 * statistics.median(heads):.1f} ms"
            f"  p95 {1e3 * heads[int(0.95 * len(heads))]:.1f} ms  {memory / SLOW['count'] / 1e3:.0f} kB each"
            f"  {cpu:.2f} cores",
            flush=True,
        )


def _s3(folder: Path, source: Path, rounds: int) -> None:
    """rushes with a bucket, beside boto3 that uploads the same file into it. Swift on loopback; both share the cores with it."""
    place = home()
    if place is None:
        print("S3: no file system with user attributes here")
        return
    swift = Swift(place)
    try:
        bucket = swift.bucket()
        with _rushes(folder / "s3", "commit", RUSHES_STORAGE_URL=swift.url(bucket), **swift.environment) as server:
            options = {"size": WHOLE, "count": 1, "source": str(source)}
            chunks = {"whole": WHOLE, "8 MiB chunks": 8 * MIB}
            seen: dict[str, list[Measure]] = {name: [] for name in ("boto3", *chunks)}
            _client(server, "small", WARM)
            server.idle = server.memory()
            for number in range(rounds + 1):
                command = [sys.executable, "-m", "bench.s3_upload", swift.endpoint, bucket, str(source)]
                store = swift.cpu()
                told = json.loads(subprocess.check_output(command, env={**os.environ, **swift.environment}))
                found = {"boto3": Measure(told["seconds"], told["cpu"], 0, swift.cpu() - store)}
                for name, chunk in chunks.items():
                    server.forget_peak()
                    before, store = server.cpu(), swift.cpu()
                    seconds = _client(server, "bulk", {**options, "chunk": chunk})["seconds"]
                    cpu, memory = server.cpu() - before, server.memory("VmHWM") - server.idle
                    found[name] = Measure(seconds, cpu, memory, swift.cpu() - store)
                for name, measure in found.items() if number else ():
                    seen[name].append(measure)
    finally:
        swift.stop()
        shutil.rmtree(place, ignore_errors=True)
    print("512 MiB into S3 (Swift)")
    for name, measures in seen.items():
        seconds, cpu, store = (
            statistics.median(getattr(each, field) for each in measures) for field in ("seconds", "cpu", "store")
        )
        ratio = statistics.median(
            floor.seconds / ours.seconds for ours, floor in zip(measures, seen["boto3"], strict=True)
        )
        print(
            f"  {name:<22} {WHOLE / seconds / 1e6:6.0f} MB/s  {cpu / WHOLE * 1e9:6.3f} CPU-s/GB"
            f"  the store {store / WHOLE * 1e9:6.3f} CPU-s/GB"
            f"  {max(each.memory for each in measures) / 1e6:+6.1f} MB  {ratio:5.2f} x boto3's throughput",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS, sys.argv[2:])
